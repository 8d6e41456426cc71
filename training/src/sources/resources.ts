/** What of a host can run out one by one, from Prometheus: the used share of each mount's space and inodes. */
import { InputError, type TrainingInput } from '../input.ts'
import { fill, hostMatcher, type PrometheusSource } from './prometheus.ts'
import { Api, numberOf, type Series } from './prometheus-api.ts'
import { MOUNT_QUERIES, WHOLE_QUERIES } from './prometheus-queries.ts'

/** What a share of 1 is. */
export interface Whole {
  readonly amount: number
  readonly unit: string
}

export interface Resources {
  /** `filesystem:/var` -> used share, 0-1, of each row of the input it was read for; NaN = missing. */
  readonly columns: ReadonlyMap<string, Float64Array>
  /** By column, `memory_used` and the like too. */
  readonly wholes: ReadonlyMap<string, Whole>
  readonly notes: readonly string[]
}

/** A host of containers can have thousands; the fullest are read. */
const MOST_MOUNTS = 40
/** Levels of each that are looked at to find them. */
const SAMPLES = 200

/**
 * @param input the rows of {@link readPrometheus}, whose times are taken over
 * @throws InputError
 */
export async function readResources(source: PrometheusSource, { recording }: TrainingInput): Promise<Resources> {
  const api = new Api(source)
  const host = await hostMatcher(api, source)
  const interval = source.intervalSeconds
  const { at } = recording
  const first = Math.round((at[0] as number) / 1000 / interval)
  const last = Math.round((at[at.length - 1] as number) / 1000 / interval)
  const range = Math.ceil(source.days * 1440)
  const columns = new Map<string, Float64Array>()
  const notes: string[] = []
  for (const [group, text] of Object.entries(MOUNT_QUERIES)) {
    const query = text.replaceAll('$host', host)
    const mounts = await mountsOf(
      api,
      `max_over_time((${query})[${range}m:${Math.ceil(range / SAMPLES)}m])`,
      source.now,
    )
    if (mounts.length > MOST_MOUNTS) {
      notes.push(`${mounts.length} mounts have ${group}: the ${MOST_MOUNTS} fullest are looked at`)
      mounts.length = MOST_MOUNTS
    }
    const grid = new Map(mounts.map((mount) => [mount, new Float64Array(last - first + 1).fill(Number.NaN)]))
    for await (const found of api.pages(query, first, last, interval)) {
      for (const { metric, values } of found) {
        const column = grid.get(metric.mountpoint ?? '')
        if (column !== undefined) fill(column, values ?? [], first, interval)
      }
    }
    for (const [mount, values] of grid) {
      const column = at.map((ms) => values[Math.round(ms / 1000 / interval) - first] as number)
      if (column.some(Number.isFinite)) columns.set(`${group}:${mount}`, column)
    }
  }
  return { columns, wholes: await wholesOf(api, host, source.now), notes }
}

/** The fullest first. */
async function mountsOf(api: Api, query: string, now: number): Promise<string[]> {
  const level = ({ value }: Series) => numberOf(value?.[1])
  const found = (await api.query(query, now)).filter((one) => Number.isFinite(level(one)))
  return found
    .sort((a, b) => level(b) - level(a) || (mountOf(a) < mountOf(b) ? -1 : 1))
    .map(mountOf)
    .filter((mount) => mount !== '')
}

const mountOf = ({ metric }: Series): string => metric.mountpoint ?? ''

async function wholesOf(api: Api, host: string, now: number): Promise<Map<string, Whole>> {
  const wholes = new Map<string, Whole>()
  for (const [name, { query, unit }] of Object.entries(WHOLE_QUERIES)) {
    for (const one of await api.query(query.replaceAll('$host', host), now)) {
      const amount = numberOf(one.value?.[1])
      const mount = mountOf(one)
      if (amount > 0) wholes.set(mount === '' ? name : `${name}:${mount}`, { amount, unit })
    }
  }
  return wholes
}

/** The input with the resources as further columns. */
export function withResources(
  input: TrainingInput,
  { columns, notes }: Pick<Resources, 'columns' | 'notes'>,
): TrainingInput {
  const { recording } = input
  const { at, signals, values } = recording
  const names = [...signals, ...columns.keys()]
  if (new Set(names).size < names.length) throw new InputError('a signal and a resource have one name')
  const merged = new Float64Array(at.length * names.length)
  const list = [...columns.values()]
  for (let t = 0; t < at.length; t++) {
    const row = t * names.length
    merged.set(values.subarray(t * signals.length, (t + 1) * signals.length), row)
    list.forEach((column, j) => {
      merged[row + signals.length + j] = column[t] as number
    })
  }
  return { ...input, recording: { ...recording, signals: names, values: merged }, notes: [...input.notes, ...notes] }
}
