/** What runs out, in words: when, how sure, why, and what to do about it. */
import type { KindOrOther } from '@portent/core'
import { groupOf } from './plan.ts'
import type { TrackedResource } from './target.ts'

const MINUTE = 60
const HOUR = 3600
const DAY = 86_400

/** `3 h 10 min`, `25 min`, `2 d 4 h`; `under a minute`. */
export function duration(seconds: number): string {
  const minutes = Math.round(seconds / MINUTE)
  if (minutes < 1) return 'under a minute'
  if (minutes < 60) return `${minutes} min`
  // Nobody plans by the minute a day ahead.
  if (seconds < DAY) {
    const hours = Math.floor(minutes / 60)
    return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`
  }
  const hours = Math.round(seconds / HOUR)
  return hours % 24 === 0 ? `${hours / 24} d` : `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** `14:20 UTC`, with its date where that is another day than `now`'s. Both Unix seconds. */
export function clock(at: number, now: number): string {
  const [date = '', time = ''] = new Date(at * 1000).toISOString().split('T')
  const today = new Date(now * 1000).toISOString().startsWith(date)
  return `${today ? '' : `${date} `}${time.slice(0, 5)} UTC`
}

const NAMES: Readonly<Record<string, string>> = {
  memory: 'Memory',
  swap: 'Swap',
  file_descriptors: 'File descriptors',
  filesystem: 'Disk',
  inodes: 'Inodes of',
}

/** `Disk /var`, `Memory`, `Inodes of /`, `queue_depth`. */
export function resourceName(resource: string): string {
  const group = groupOf(resource)
  const name = NAMES[group]
  if (name === undefined) return resource
  const place = resource.slice(group.length + 1)
  if (place !== '') return `${name} ${place}`
  return group === 'filesystem' ? 'Disk' : group === 'inodes' ? 'Inodes' : name
}

const STORAGE = 'free space or extend the file system'
const ACTIONS: Readonly<Partial<Record<KindOrOther, string>>> = {
  memory_used_ratio: 'find the process that grows and restart it, or add memory',
  swap_used_ratio: 'find the process that grows and restart it, or add swap',
  file_descriptors_used_ratio: 'find the process that leaks handles and restart it, or raise its limit',
  disk_used_ratio: STORAGE,
  inodes_used_ratio: 'remove small files that are not needed, or move them to another file system',
}

export const actionFor = ({ kind, limit }: Pick<TrackedResource, 'kind' | 'limit'>): string =>
  ACTIONS[kind] ?? (limit.direction === 'down' ? 'use less of it, or refill it' : 'use less of it, or raise the limit')

const BINARY = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

const short = (x: number): string => (x >= 100 ? String(Math.round(x)) : String(Number(x.toPrecision(2))))

function amount(x: number, unit: 'bytes' | 'inodes' | 'handles'): string {
  if (unit !== 'bytes') return `${short(x)} ${unit}`
  const power = Math.min(BINARY.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(x, 1)) / 10)))
  const scaled = x / 1024 ** power
  return `${short(scaled)} ${BINARY[power]}`
}

/** `1.1 GiB an hour`, `2.4 % a day`: the unit of time in which the number is easy to hold. */
export function growth(perSecond: number, kind: KindOrOther, whole: TrackedResource['whole']): string {
  const daily = Math.abs(perSecond) * DAY
  const share = kind !== 'other'
  const per = (share ? daily >= 0.24 : Math.abs(perSecond) * HOUR >= 1) ? HOUR : DAY
  const value = Math.abs(perSecond) * per
  const text =
    whole !== undefined ? amount(value * whole.amount, whole.unit) : share ? `${short(value * 100)} %` : short(value)
  return `${text} ${per === HOUR ? 'an hour' : 'a day'}`
}

const percent = (p: number): string => `${Math.round(Math.min(0.99, p) * 100)} %`

/**
 * `Disk /var likely full in 3 h 10 min (80 %: 2 h 40 min - 4 h 5 min): 92 % sure; grows 1.1 GiB an hour since
 * 14:20 UTC; free space or extend the file system`. Null where nothing is predicted.
 * @param now Unix seconds
 */
export function exhaustionSentence(one: TrackedResource, now: number): string | null {
  const { resource, kind, whole, limit, exhaustion } = one
  const { lower, median, upper, trend, state } = exhaustion
  const name = resourceName(resource)
  const verb = limit.direction === 'down' || kind === 'other' ? 'at its limit' : 'full'
  if (state === 'exhausted') return `${name} is ${verb} now; ${actionFor(one)}`
  if (!Number.isFinite(lower)) return null
  const until = (at: number) => (Number.isFinite(at) ? duration(Math.max(0, at - now)) : 'not at all')
  const when = Number.isFinite(median)
    ? `${name} likely ${verb} in ${until(median)} (80 %: ${until(lower)} - ${until(upper)})`
    : `${name} may be ${verb} as early as in ${until(lower)}`
  const sure = `${percent(exhaustion.confidence)} sure`
  const why =
    trend === null
      ? []
      : [
          `${limit.direction === 'down' ? 'falls' : 'grows'} ${growth(trend.perSecond, kind, whole)} since ${clock(trend.since, now)}`,
        ]
  return [`${when}: ${sure}`, ...why, actionFor(one)].join('; ')
}
