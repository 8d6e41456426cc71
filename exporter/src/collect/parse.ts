/** Parsing of the kernel's text files: by position, without regular expressions, garbage becomes NaN. */

const SPACE = 32
const NEWLINE = 10
const COLON = 58
const DIGIT_0 = 48
const DIGIT_9 = 57

/** Index just after `label` where it begins a line, else -1. */
function after(text: string, label: string): number {
  if (text.startsWith(label)) return label.length
  const at = text.indexOf(`\n${label}`)
  return at < 0 ? -1 : at + 1 + label.length
}

/**
 * The unsigned numbers from `from` to the end of the line, separated by blanks; a word that is not one is NaN.
 *
 * `numbersFrom('cpu 1 2 x\n', 3)` is `[1, 2, NaN]`.
 */
export function numbersFrom(text: string, from: number, most = Number.POSITIVE_INFINITY): number[] {
  const numbers: number[] = []
  let i = from
  while (numbers.length < most) {
    let code = text.charCodeAt(i)
    while (code <= SPACE && code !== NEWLINE) code = text.charCodeAt(++i)
    if (code === NEWLINE || Number.isNaN(code)) break
    let value = 0
    while (code > SPACE) {
      value = code >= DIGIT_0 && code <= DIGIT_9 ? value * 10 + (code - DIGIT_0) : Number.NaN
      code = text.charCodeAt(++i)
    }
    numbers.push(value)
  }
  return numbers
}

/** The unsigned numbers on the line that begins with `label`; empty where there is no such line. */
export function numbersAfter(text: string, label: string, most?: number): number[] {
  const from = after(text, label)
  return from < 0 ? [] : numbersFrom(text, from, most)
}

/** The unsigned number after `label` at the beginning of a line; undefined where it is missing or garbage. */
export function numberAfter(text: string, label: string): number | undefined {
  const value = numbersAfter(text, label, 1)[0]
  return value === undefined || Number.isNaN(value) ? undefined : value
}

/** `name: 1 2 3` lines as `[name, numbers]`; lines without a colon are skipped. */
export function* namedLines(text: string): Generator<[string, number[]]> {
  for (let from = 0; from < text.length; ) {
    let end = text.indexOf('\n', from)
    if (end < 0) end = text.length
    let colon = from
    while (colon < end && text.charCodeAt(colon) !== COLON) colon++
    if (colon < end) yield [text.slice(from, colon).trim(), numbersFrom(text, colon + 1)]
    from = end + 1
  }
}

/** A share cannot leave [0, 1]; counters read one after another can, by a little. */
export function share(x: number): number {
  return x < 0 ? 0 : x > 1 ? 1 : x
}

/** The keys whose value is known: for building readings from what may be missing. */
export function present(values: Readonly<Record<string, number | undefined>>): Record<string, number> {
  const known: Record<string, number> = {}
  for (const key in values) {
    const value = values[key]
    if (value !== undefined) known[key] = value
  }
  return known
}
