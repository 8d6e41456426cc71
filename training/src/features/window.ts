/**
 * The six causal features of a window, per signal, in double precision:
 * last, mean, population standard deviation, slope (least squares, times the window's length), spike = (last - mean) /
 * (std + 0.02) within +-5, rate (last less the row before).
 *
 * Columns: all signals' last, then mean, std, slope, spike, rate: feature k of signal j is at k * d + j.
 */
export const KINDS = 6
export const WINDOW_ROWS = 10
export const SPIKE_SOFTENER = 0.02
export const SPIKE_LIMIT = 5

/** Weights w with slope * L = sum of w[k] * x[k], and sum of w = 0. */
export function slopeWeights(length: number): Float64Array {
  const centre = (length - 1) / 2
  let squares = 0
  for (let k = 0; k < length; k++) squares += (k - centre) ** 2
  return Float64Array.from({ length }, (_, k) => ((k - centre) / squares) * length)
}

const WEIGHTS = slopeWeights(WINDOW_ROWS)

/**
 * @param window transformed values, oldest first [L,d], at `offset`
 * @param isPresent whether signal j is; an absent one's features are 0
 * @param out [6d] at `outOffset`
 */
export function windowFeatures(
  window: Float64Array,
  offset: number,
  d: number,
  out: Float64Array,
  outOffset: number,
  isPresent: (j: number) => boolean,
): void {
  for (let j = 0; j < d; j++) {
    const at = outOffset + j
    if (!isPresent(j)) {
      for (let k = 0; k < KINDS; k++) out[at + k * d] = 0
      continue
    }
    let sum = 0
    for (let k = 0; k < WINDOW_ROWS; k++) sum += window[offset + k * d + j] as number
    const mean = sum / WINDOW_ROWS
    let squares = 0
    let slope = 0
    for (let k = 0; k < WINDOW_ROWS; k++) {
      const off = (window[offset + k * d + j] as number) - mean
      squares += off * off
      slope += (WEIGHTS[k] as number) * off
    }
    const std = Math.sqrt(squares / WINDOW_ROWS)
    const last = window[offset + (WINDOW_ROWS - 1) * d + j] as number
    out[at] = last
    out[at + d] = mean
    out[at + 2 * d] = std
    out[at + 3 * d] = slope
    out[at + 4 * d] = clip((last - mean) / (std + SPIKE_SOFTENER), SPIKE_LIMIT)
    out[at + 5 * d] = last - (window[offset + (WINDOW_ROWS - 2) * d + j] as number)
  }
}

export function clip(x: number, limit: number): number {
  return x > limit ? limit : x < -limit ? -limit : x
}
