/**
 * A row of the table. `value` is what is held against `goal`; it meets it when it is not above.
 * @typedef {{ what: string, measured: string, value: number | null, shown: string, goal: string, met: boolean | null }} Row
 */

/** 0.016 -> `1/63`, 1.04 -> `1.04x`. */
export function times(ratio) {
  if (ratio >= 0.5) return `${ratio.toFixed(2)}x`
  const inverse = 1 / ratio
  return `1/${inverse >= 10 ? inverse.toFixed(0) : inverse.toFixed(1)}`
}

export const ms = (x) => `${x.toFixed(x < 1 ? 3 : x < 10 ? 2 : 1)} ms`
export const us = (x) => `${x.toFixed(x < 10 ? 2 : 0)} us`
export const mb = (x) => `${x.toFixed(1)} MB`
export const percent = (share) => `${(100 * share).toFixed(2)} %`

/**
 * @param {string} what
 * @param {{ measured: string, value: number, goal?: number, format?: (x: number) => string }} of
 * @returns {Row}
 */
export function row(what, { measured, value, goal, format = times }) {
  const shown = format(value)
  if (goal === undefined) return { what, measured, value, shown, goal: '', met: null }
  return { what, measured, value, shown, goal: `<= ${format(goal)}`, met: value <= goal }
}

/**
 * A row of which a part, or all, could not be measured here, or that has no goal.
 * @returns {Row}
 */
export function unmet(what, { measured = '', why, goal = '' }) {
  return { what, measured, value: null, shown: why, goal, met: null }
}
