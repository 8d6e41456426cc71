/** Tables in plain text. */

export const fixed = (digits) => (x) => (x === null || x === undefined || Number.isNaN(x) ? '-' : x.toFixed(digits))
/** 0.6213 -> .621 */
export const share = (x) => fixed(3)(x).replace(/^(-?)0\./, '$1.')
export const signed = (x) => (x > 0 ? '+' : '') + share(x)

/**
 * @param {readonly string[]} header
 * @param {readonly (readonly string[] | null)[]} rows null draws a line
 * @param {{ left?: number }} options number of columns that are aligned left
 */
export function table(header, rows, { left = 1 } = {}) {
  const lines = [header, null, ...rows]
  const widths = header.map((_, k) => Math.max(...lines.map((cells) => cells?.[k]?.length ?? 0)))
  const text = lines.map((cells) =>
    cells === null
      ? widths.map((w) => '-'.repeat(w)).join('  ')
      : widths.map((w, k) => (k < left ? (cells[k] ?? '').padEnd(w) : (cells[k] ?? '').padStart(w))).join('  '),
  )
  return text.map((line) => `  ${line.trimEnd()}`).join('\n')
}

export const mean = (xs) => {
  const known = xs.filter((x) => x !== null && !Number.isNaN(x))
  return known.reduce((a, b) => a + b, 0) / known.length
}
export const worst = (xs) => Math.max(...xs)

export function median(xs) {
  const sorted = [...xs].sort((a, b) => a - b)
  if (sorted.length === 0) return null
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2
}

/** The rows of each set, then the rows of each set as one by `of`. */
export function withMeans(results, rowOf, meanOf) {
  const sets = [...new Set(results.map((x) => x.set))]
  const groups = sets.map((set) => [`mean ${set}`, results.filter((x) => x.set === set)])
  if (sets.length > 1) groups.push(['mean', results])
  return [...results.map(rowOf), null, ...groups.map(([what, group]) => [what, ...meanOf(group)])]
}

export const nameOf = ({ set, machine }) => `${set} ${machine}`

export function heading(text) {
  return `\n${text}\n`
}

/** Lines below a table. */
export function notes(lines) {
  return lines.map((line) => `    ${line}`).join('\n')
}
