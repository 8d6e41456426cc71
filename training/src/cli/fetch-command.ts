/**
 * What a source holds of one host, as a recording: DIR/data.csv, DIR/signals.json, which says what its columns are, and
 * DIR/about.json, which says where they come from and how large the whole of each resource is.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { HOST_SIGNAL_KINDS, HOST_SIGNALS } from '@portent/core'
import { InputError, type TrainingInput } from '../input.ts'
import { readHistory } from '../sources/history.ts'
import { instanceOf, type PrometheusSource, readPrometheus } from '../sources/prometheus.ts'
import { readResources, type Whole, withResources } from '../sources/resources.ts'
import { progressOn, type Screen } from './progress.ts'

const OPTIONS = {
  store: { type: 'string' },
  target: { type: 'string' },
  url: { type: 'string' },
  instance: { type: 'string' },
  days: { type: 'string', default: '14' },
  interval: { type: 'string', default: '60' },
  until: { type: 'string' },
  out: { type: 'string' },
} as const

export interface FetchIo {
  readonly progress: Screen
  /** Unix ms. */
  readonly now: number
}

interface Fetched {
  readonly input: TrainingInput
  readonly wholes: ReadonlyMap<string, Whole>
}

/** Resolves with the exit code: 1 the source is at fault. */
export async function fetchCommand(args: readonly string[], { progress: screen, now }: FetchIo): Promise<number> {
  const progress = progressOn(screen)
  try {
    const { values } = parseArgs({ args: [...args], options: OPTIONS, strict: true })
    const out = resolve(values.out ?? '.')
    const days = Number(values.days)
    const fetched = values.store
      ? fromStore(values.store, values.target ?? null, days)
      : await fromPrometheus({
          url: values.url ?? '',
          instance: values.instance ?? null,
          days,
          intervalSeconds: Number(values.interval),
          now: values.until === undefined ? now : Number(values.until) * 1000,
          progress: (done, steps, what) => progress.step(done, steps, what),
        })
    mkdirSync(out, { recursive: true })
    write(out, fetched)
    progress.end()
    return 0
  } catch (error) {
    progress.end()
    if (!(error instanceof Error)) throw error
    screen.write(`${error.message}\n`)
    return 1
  }
}

function fromStore(file: string, target: string | null, days: number): Fetched {
  const input = readHistory({ file, target, days, intervalSeconds: null, of: 'minutes', resources: true })
  return { input: { ...input, intervalSeconds: Math.max(60, input.intervalSeconds) }, wholes: new Map() }
}

async function fromPrometheus(asked: PrometheusSource): Promise<Fetched> {
  const source = { ...asked, instance: await instanceOf(asked) }
  const input = await readPrometheus(source)
  const { recording } = input
  const named = { ...input, recording: { ...recording, name: `${source.instance} at ${recording.name}` } }
  const resources = await readResources(source, input)
  return { input: withResources(named, resources), wholes: resources.wholes }
}

function write(folder: string, { input, wholes }: Fetched): void {
  const { recording, intervalSeconds, notes } = input
  const { name, signals, at } = recording
  if (at.length === 0) throw new InputError(`${name}: holds no rows of that time`)
  writeFileSync(join(folder, 'data.csv'), csvOf(recording))
  const told = { interval_seconds: intervalSeconds, signals: signalsOf(signals) }
  writeFileSync(join(folder, 'signals.json'), `${JSON.stringify(told, null, 1)}\n`)
  const about = { name, notes, wholes: Object.fromEntries(wholes) }
  writeFileSync(join(folder, 'about.json'), `${JSON.stringify(about, null, 1)}\n`)
}

function csvOf({ signals, at, values }: TrainingInput['recording']): string {
  const d = signals.length
  const cell = (x: number) => (Number.isFinite(x) ? String(x) : '')
  const lines = [['timestamp', ...signals].map(quoted).join(',')]
  at.forEach((ms, t) => {
    lines.push([ms / 1000, ...Array.from(values.subarray(t * d, (t + 1) * d), cell)].join(','))
  })
  return `${lines.join('\n')}\n`
}

const quoted = (name: string): string => (/[",]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name)

/** Groups of resources, the kind of each, and the signal that is the worst of them. */
const GROUPS: Readonly<Record<string, { readonly kind: string; readonly worst: string }>> = {
  filesystem: { kind: 'disk_used_ratio', worst: 'filesystem_used' },
  inodes: { kind: 'inodes_used_ratio', worst: 'inodes_used' },
}

interface Told {
  readonly kind: string
  readonly unit: string
  readonly capacity?: number
}

/** What runs out one by one has a capacity; the worst of several has none of its own then. */
export function signalsOf(names: readonly string[]): Record<string, Told> {
  const groupOf = (name: string) => GROUPS[name.slice(0, Math.max(0, name.indexOf(':')))]
  const apart = new Set(names.map((name) => groupOf(name)?.worst))
  const known = new Map(HOST_SIGNALS.map((s) => [s.name, s]))
  const told = names.map((name): [string, Told] => {
    const group = groupOf(name)
    if (group !== undefined) return [name, { kind: group.kind, unit: 'ratio', capacity: 1 }]
    const { unit = 'none', capacity } = known.get(name) ?? {}
    const kind = HOST_SIGNAL_KINDS[name] ?? 'other'
    const ends = capacity !== undefined && !apart.has(name)
    return [name, { kind, unit, ...(ends ? { capacity } : {}) }]
  })
  return Object.fromEntries(told)
}
