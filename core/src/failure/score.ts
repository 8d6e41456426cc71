/**
 * How unusual a host is, from its own rolling past alone: the root mean square of its kinds' robust z, scaled so that 1 is
 * what one in two hundred samples of the day before exceeded. It stands in where no bundle scores the target.
 */
import type { SignalKind } from '../outlook/kinds.ts'
import { healthOf, penaltiesOf } from '../score/health.ts'
import type { KindSeries } from './series.ts'
import { SortedWindow } from './sorted.ts'

const PAST_SAMPLES = 288
const DELAY_SAMPLES = 6
const RANK = 0.995
/** A quiet day sets no lower threshold than this root mean square of z. */
const LEAST_THRESHOLD = 1.5
const MOST_Z = 10
const MOST_SCORE = 5

/** Least spread of a kind; as a share of the usual value where the kind has no natural scale. */
const FLOORS: Readonly<Record<SignalKind, { readonly absolute: number; readonly relative: number }>> = {
  cpu_busy_ratio: { absolute: 0.02, relative: 0 },
  cpu_iowait_ratio: { absolute: 0.02, relative: 0 },
  load_per_core: { absolute: 0.05, relative: 0.05 },
  memory_used_ratio: { absolute: 0.01, relative: 0 },
  swap_used_ratio: { absolute: 0.01, relative: 0 },
  disk_used_ratio: { absolute: 0.005, relative: 0 },
  inodes_used_ratio: { absolute: 0.005, relative: 0 },
  file_descriptors_used_ratio: { absolute: 0.005, relative: 0 },
  disk_busy_ratio: { absolute: 0.03, relative: 0 },
  network_rate: { absolute: 0, relative: 0.1 },
  network_error_ratio: { absolute: 0.002, relative: 0.2 },
  response_time: { absolute: 0, relative: 0.08 },
  error_ratio: { absolute: 0.003, relative: 0.2 },
}

/** Robust z of the short median, 0 while its past is unknown. Only what grows is bad, but for a rate that stops. */
export function robustZ(kind: SignalKind, { short, usual, spread }: KindSeries): number {
  const { absolute, relative } = FLOORS[kind]
  const scale = Math.max(spread, absolute, relative * Math.abs(usual))
  const z = (short - usual) / scale
  if (!(scale > 0) || !Number.isFinite(z)) return 0
  return Math.min(MOST_Z, kind === 'network_rate' ? Math.abs(z) : Math.max(0, z))
}

export class OwnScore {
  readonly #past = new SortedWindow(PAST_SAMPLES)
  readonly #young: number[] = []

  /** Score of the newest bin. @param isSample whether it joins the past, as one bin in five minutes does */
  step(series: ReadonlyMap<SignalKind, KindSeries>, isSample: boolean): number {
    let squares = 0
    let n = 0
    for (const [kind, one] of series) {
      if (Number.isNaN(one.short)) continue
      squares += robustZ(kind, one) ** 2
      n++
    }
    if (n === 0) return 0
    const raw = Math.sqrt(squares / n)
    const threshold = Math.max(LEAST_THRESHOLD, this.#past.quantile(RANK) || 0)
    if (isSample) {
      this.#young.push(raw)
      if (this.#young.length > DELAY_SAMPLES) this.#past.push(this.#young.shift() as number)
    }
    return Math.min(MOST_SCORE, raw / threshold)
  }
}

/** Health by the score and the rules that a service applies to the signals of the same meaning. */
export function ownHealth(score: number, series: ReadonlyMap<SignalKind, KindSeries>): number {
  const short = (kind: SignalKind) => series.get(kind)?.short ?? Number.NaN
  const values = {
    cpu_busy: short('cpu_busy_ratio'),
    memory_used: short('memory_used_ratio'),
    filesystem_used: short('disk_used_ratio'),
    disk_busy: short('disk_busy_ratio'),
    response_time: short('response_time'),
  }
  const usual = (signal: string) =>
    signal === 'response_time' ? (series.get('response_time')?.usual ?? Number.NaN) : Number.NaN
  return healthOf(score, penaltiesOf(values, usual))
}
