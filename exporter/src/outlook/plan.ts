/** What of a target is forecast, and what of it can run out: by the names of its signals and resources. */
import {
  HOST_SIGNAL_KINDS,
  HOST_SIGNALS,
  KIND_SPECS,
  type KindOrOther,
  type Limit,
  type SignalKind,
} from '@portent/core'
import type { Resource, SignalValues } from '../types.ts'

/** A signal with the level at which it runs out, as a user states it. */
export type CustomLimits = Readonly<Record<string, Limit>>

export interface Depleting {
  readonly resource: string
  readonly kind: KindOrOther
  readonly limit: Limit
  /** In the unit of the limit. */
  readonly level: number
  /** What a level of 1 is, where shares are counted and the whole is known. */
  readonly whole?: { readonly amount: number; readonly unit: 'bytes' | 'inodes' | 'handles' }
}

/** What the signals and resources of a target mean. */
export interface OutlookPlan {
  /** Between which bounds a value of the signal lies. */
  readonly boundsOf: (signal: string) => { readonly floor: number; readonly ceiling: number }
  /** Everything of a row that can run out, each once. */
  readonly depleting: (values: SignalValues, resources: readonly Resource[]) => readonly Depleting[]
  /** The value of each kind: the worst of several. */
  readonly byKind: (values: SignalValues) => Partial<Record<SignalKind, number>>
}

/** By the names that the collectors give; `limits` are a user's own. */
export const hostPlan = (limits: CustomLimits = {}): OutlookPlan => ({
  boundsOf,
  depleting: (values, resources) => depleting(values, resources, limits),
  byKind,
})

const FULL: Limit = { capacity: 1, direction: 'up' }

/** Signals that stand for a resource where a target names none of its resources. */
const STAND_INS: Readonly<Record<string, string>> = {
  memory_used: 'memory',
  swap_used: 'swap',
  file_descriptors_used: 'file_descriptors',
  filesystem_used: 'filesystem',
  inodes_used: 'inodes',
}

const RESOURCE_KINDS: Readonly<Record<string, SignalKind>> = {
  memory: 'memory_used_ratio',
  swap: 'swap_used_ratio',
  file_descriptors: 'file_descriptors_used_ratio',
  filesystem: 'disk_used_ratio',
  inodes: 'inodes_used_ratio',
}

/** `filesystem:/var` -> `filesystem`. */
export const groupOf = (resource: string): string => {
  const colon = resource.indexOf(':')
  return colon < 0 ? resource : resource.slice(0, colon)
}

export const kindOfResource = (resource: string): KindOrOther => RESOURCE_KINDS[groupOf(resource)] ?? 'other'

const UNITS = new Map(HOST_SIGNALS.map((s) => [s.name, s.unit]))

function boundsOf(signal: string): { floor: number; ceiling: number } {
  const kind = HOST_SIGNAL_KINDS[signal]
  if (kind !== undefined) return KIND_SPECS[kind]
  const unit = UNITS.get(signal)
  if (unit === undefined) return KIND_SPECS.other
  if (unit === 'ratio') return { floor: 0, ceiling: signal === 'load_per_core' ? Number.POSITIVE_INFINITY : 1 }
  return { floor: unit === 'celsius' ? Number.NEGATIVE_INFINITY : 0, ceiling: Number.POSITIVE_INFINITY }
}

function depleting(values: SignalValues, resources: readonly Resource[], custom: CustomLimits): Depleting[] {
  const found: Depleting[] = []
  const groups = new Set<string>()
  for (const { resource, used, capacity, unit } of resources) {
    if (!Number.isFinite(used)) continue
    groups.add(groupOf(resource))
    const whole = capacity === undefined || unit === undefined ? {} : { whole: { amount: capacity, unit } }
    found.push({ resource, kind: kindOfResource(resource), limit: FULL, level: used, ...whole })
  }
  for (const signal in STAND_INS) {
    const level = values[signal]
    const resource = STAND_INS[signal] as string
    if (level === undefined || groups.has(resource)) continue
    found.push({ resource, kind: kindOfResource(resource), limit: FULL, level })
  }
  for (const signal in custom) {
    const level = values[signal]
    if (level === undefined || STAND_INS[signal] !== undefined) continue
    found.push({ resource: signal, kind: 'other', limit: custom[signal] as Limit, level })
  }
  return found
}

/** A rate of a kind with several signals is their sum. */
function byKind(values: SignalValues): Partial<Record<SignalKind, number>> {
  const found: Partial<Record<SignalKind, number>> = {}
  for (const signal in values) {
    const kind = HOST_SIGNAL_KINDS[signal]
    const value = values[signal]
    if (kind === undefined || value === undefined || !Number.isFinite(value)) continue
    const before = found[kind]
    found[kind] = before === undefined ? value : kind === 'network_rate' ? before + value : Math.max(before, value)
  }
  return found
}
