/**
 * The two text formats that Prometheus reads: 0.0.4 and OpenMetrics 1.0.
 *
 * Sample lines are the same in both (label `le` is written as OpenMetrics wants it in either, so that no series changes its
 * name with the format); only the headers and the end differ. A body is therefore rendered once and joined twice.
 * Sources: prometheus.io/docs/instrumenting/exposition_formats, the OpenMetrics specification 1.0.
 */
import type { MetricSpec } from './catalogue.ts'

export type Format = 'text' | 'openmetrics'

export const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
}

const LONE_SURROGATE = /[\ud800-\udfff]/gu
const ESCAPED = /[\\"\n]/g

/** A label value without lone surrogates, which UTF-8 cannot hold (two of them would become one series). */
export const wellFormed = (text: string): string => text.replace(LONE_SURROGATE, '\ufffd')

export function escapeLabel(value: string): string {
  return wellFormed(value).replace(ESCAPED, (c) => (c === '\n' ? '\\n' : `\\${c}`))
}

/** `name{a="x",b="y"} `: everything of a sample line before its value. Values are escaped here. */
export function prefix(name: string, labels: readonly string[], values: readonly string[]): string {
  if (labels.length === 0) return `${name} `
  return `${name}{${labels.map((label, i) => `${label}="${escapeLabel(values[i] ?? '')}"`).join(',')}} `
}

/** A finite number or +Inf as both formats write it. Callers leave NaN and -Inf out before they come here. */
export const formatValue = (value: number): string => (value === Number.POSITIVE_INFINITY ? '+Inf' : String(value))

/** NaN means nothing on /metrics and -Inf has no use; `+Inf` is "never" and allowed where `infinite` says so. */
export const printable = (value: number, infinite = false): boolean =>
  Number.isFinite(value) || (infinite && value === Number.POSITIVE_INFINITY)

/** A bucket's bound as OpenMetrics writes numbers in labels: 1 is `1.0`. */
export function bound(le: number): string {
  const text = formatValue(le)
  return /^-?\d+$/.test(text) ? `${text}.0` : text
}

export const familyName = (spec: MetricSpec, format: Format): string =>
  format === 'openmetrics' && spec.type === 'counter' ? spec.name.replace(/_total$/, '') : spec.name

export function header(spec: MetricSpec, format: Format): string {
  const name = familyName(spec, format)
  const help = spec.help.replace(/[\\\n]/g, (c) => (c === '\n' ? '\\n' : '\\\\'))
  if (format === 'text') return `# HELP ${name} ${help}\n# TYPE ${name} ${spec.type}\n`
  const unit = spec.unit === undefined ? '' : `# UNIT ${name} ${spec.unit}\n`
  return `# HELP ${name} ${help.replaceAll('"', '\\"')}\n# TYPE ${name} ${spec.type}\n${unit}`
}

/** One family's sample lines, encoded; none where it has none (the family is then left out). */
export interface FamilyBody {
  readonly spec: MetricSpec
  readonly chunks: readonly Buffer[]
}

export const familyBody = (spec: MetricSpec, lines: string): FamilyBody => ({
  spec,
  chunks: lines === '' ? [] : [Buffer.from(lines)],
})

const EOF = Buffer.from('# EOF\n')

export function joinFamilies(families: readonly FamilyBody[], format: Format): Buffer {
  const parts: Buffer[] = []
  for (const { spec, chunks } of families) {
    if (chunks.length > 0) parts.push(Buffer.from(header(spec, format)), ...chunks)
  }
  if (format === 'openmetrics') parts.push(EOF)
  return Buffer.concat(parts)
}

/** The series of one family of one target: prefixes are built once, values are replaced at every publication. */
interface Slot {
  readonly keys: string[]
  readonly prefixes: string[]
  readonly values: number[]
  length: number
}

/** Characters encoded at once: well under a millisecond. */
const CHUNK = 64 * 1024

/** Writes one target's series. Series not written since `begin` are gone. */
export interface SeriesWriter {
  /** `key`: the label values after `target`, joined by \u0000 ('' for none). False where the limit was reached. */
  put(family: number, key: string, value: number): boolean
  /** Series that the limit leaves room for. */
  readonly room: number
}

/**
 * Families x targets. Writing the same series in the same order again costs a comparison and an assignment each; a series
 * at another position rebuilds its prefix.
 */
export class TargetTable {
  readonly #specs: readonly MetricSpec[]
  readonly #limit: number
  readonly #targets = new Map<string, (Slot | undefined)[]>()
  #dropped = 0
  #nonFinite = 0

  constructor(specs: readonly MetricSpec[], limit: number) {
    this.#specs = specs
    this.#limit = limit
  }

  /** Series refused by the limit, and values that were not finite, since the last call. */
  takeCounts(): { dropped: number; nonFinite: number } {
    const counts = { dropped: this.#dropped, nonFinite: this.#nonFinite }
    this.#dropped = 0
    this.#nonFinite = 0
    return counts
  }

  remove(target: string): void {
    this.#targets.delete(wellFormed(target))
  }

  /** Replaces all series of `target` by what `write` puts. The order of the puts is the order of importance. */
  write(target: string, write: (writer: SeriesWriter) => void): void {
    const name = wellFormed(target)
    const slots = this.#targets.get(name) ?? []
    this.#targets.set(name, slots)
    for (const slot of slots) if (slot !== undefined) slot.length = 0
    let count = 0
    const limit = this.#limit
    write({
      get room() {
        return limit - count
      },
      put: (family, key, value) => {
        if (!printable(value, this.#specs[family]?.infinite)) {
          this.#nonFinite++
          return true
        }
        if (count >= limit) {
          this.#dropped++
          return false
        }
        count++
        let slot = slots[family]
        if (slot === undefined) {
          slot = { keys: [], prefixes: [], values: [], length: 0 }
          slots[family] = slot
        }
        const i = slot.length++
        if (slot.keys[i] !== key) {
          const spec = this.#specs[family]
          if (spec === undefined) throw new RangeError(`no family ${family}`)
          slot.keys[i] = key
          slot.prefixes[i] = prefix(spec.name, spec.labels, [name, ...(key === '' ? [] : key.split('\u0000'))])
        }
        slot.values[i] = value
        return true
      },
    })
    for (const slot of slots) if (slot !== undefined && slot.keys.length > 2 * slot.length + 8) shrink(slot)
  }

  /** `breathe` is called between targets and may let the event loop have its turn. */
  async render(breathe: () => Promise<void> | undefined = () => undefined): Promise<FamilyBody[]> {
    const families: FamilyBody[] = []
    for (const [family, spec] of this.#specs.entries()) {
      const chunks: Buffer[] = []
      let lines = ''
      for (const slots of this.#targets.values()) {
        const slot = slots[family]
        if (slot === undefined) continue
        const { prefixes, values, length } = slot
        for (let i = 0; i < length; i++) lines += `${prefixes[i]}${formatValue(values[i] as number)}\n`
        if (lines.length < CHUNK) continue
        chunks.push(Buffer.from(lines))
        lines = ''
        const pause = breathe()
        if (pause !== undefined) await pause
      }
      if (lines !== '') chunks.push(Buffer.from(lines))
      families.push({ spec, chunks })
      const pause = breathe()
      if (pause !== undefined) await pause
    }
    return families
  }
}

/** Gives back the memory of series that are gone. */
function shrink(slot: Slot): void {
  slot.keys.length = slot.length
  slot.prefixes.length = slot.length
  slot.values.length = slot.length
}
