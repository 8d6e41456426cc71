/** For tests: a scripted host, and a strict reader of OpenMetrics. */
import { HOST_SIGNALS } from '@portent/core'
import type { AlertEvent, Assessment, Outlook, ResourceOutlook, SeriesForecast } from '../types.ts'
import { MetricsPublisher, type PublisherOptions } from './metrics.ts'
import { SelfMetrics } from './self.ts'

/** 2026-01-02T03:04:05Z. */
export const NOW = Date.UTC(2026, 0, 2, 3, 4, 5)

/** Memory that runs out in three hours, a disk that does not; forecasts of two signals; a failure model in force. */
export function scriptedOutlook(): Outlook {
  const at = NOW - 1000
  const resource = (name: string, hours: readonly [number, number, number]): ResourceOutlook => ({
    resource: name,
    level: 0.5,
    capacity: 1,
    lower: at / 1000 + 3600 * hours[0],
    median: at / 1000 + 3600 * hours[1],
    upper: at / 1000 + 3600 * hours[2],
    confidence: hours[0] < 24 ? 0.96875 : 0,
    withinDay: hours[0] < 24 ? 0.9375 : 0,
    trend: hours[0] < 24 ? { perSecond: 1 / 32768, since: at / 1000 - 7200 } : null,
    state: hours[0] < 24 ? 'growing' : 'flat',
    sentence: hours[0] < 24 ? `${name} likely full in ${hours[1]} h` : null,
    action: 'free some of it',
  })
  const forecast = (signal: string, middle: number): SeriesForecast => ({
    signal,
    horizons: [900, 3600].map((seconds) => ({ seconds, quantiles: [middle / 2, middle, middle * 1.5] })),
  })
  return {
    at,
    resources: [resource('memory', [2, 3, 5]), resource('filesystem:/mnt/a "b"\\c', [Infinity, Infinity, Infinity])],
    failure: {
      horizons: [
        { seconds: 900, probability: 0.0625 },
        { seconds: 3600, probability: 0.125 },
        { seconds: 21_600, probability: 0.25 },
      ],
      headline: { seconds: 3600, probability: 0.125 },
      confidence: 0.75,
      event: 'memory exhausted',
      reasons: [{ feature: 'memory_level', value: 0.9, weight: 1.5, sentence: 'memory at 90 %' }],
    },
    failureProgress: 1,
    forecasts: [forecast('health', 62.5), forecast('cpu_busy', 0.5)],
  }
}

/** A host under CPU load with every signal present and every window full. */
export function scriptedHost(over: Partial<Assessment> = {}): Assessment {
  const values: Record<string, number> = {}
  HOST_SIGNALS.forEach(({ name, unit }, i) => {
    values[name] = unit === 'ratio' ? (i + 1) / 64 : (i + 1) * (unit === 'seconds' ? 0.001 : 10)
  })
  values.cpu_busy = 0.96875
  const shap: Record<string, number> = {}
  HOST_SIGNALS.forEach(({ name }, i) => {
    shap[name] = name === 'cpu_busy' ? 2.5 : -i / 1024
  })
  const base = 0.5
  const output = base + Object.values(shap).reduce((sum, x) => sum + x, 0)
  return {
    target: 'host',
    at: NOW - 1000,
    model: 'active',
    version: '0123456789ab',
    health: 62.5,
    risk: 'yellow',
    riskReason: 'health 62.5 is below 70 for 2 rows',
    severity: 'warning',
    severityReason: 'risk is yellow and confidence x trust is 0.72',
    penalties: [{ signal: 'cpu_busy', value: 0.96875, limit: 0.9, points: 12 }],
    symptoms: ['processes wait for a CPU'],
    scores: {
      anomaly: { ensemble: 1.25, isolation_forest: 1.125, window_z: 1.5, pca: 0.75, var: 0.5 },
      raw: 2.5,
      ranking: 2.625,
      threshold: 2,
      alarm: true,
      confidence: 0.9,
      budget: { requested: 0.005, realised: 0.0046875 },
    },
    shap: { base, output, signals: shap },
    hints: [
      { signal: 'cpu_busy', value: 0.96875, usual: { low: 0.05, high: 0.25 }, direction: 'above', contribution: 2.5 },
    ],
    outlook: scriptedOutlook(),
    drift: {
      ratio: 0.015625,
      detected: false,
      scores: { anomaly_rate: 1.0625, page_hinkley: 0.25, distribution: 0.5 },
      confirmed: 2,
    },
    warmup: { window: 1, failure: 1, drift: 1 },
    coverage: 1,
    trust: 0.8,
    sensitivity: 5,
    values,
    resources: [
      { resource: 'memory', used: 0.5, capacity: 8e9, unit: 'bytes' },
      { resource: 'filesystem:/', used: 0.25, capacity: 1e11, unit: 'bytes' },
      { resource: 'filesystem:/mnt/a "b"\\c', used: 0.75 },
    ],
    ...over,
  }
}

export const scriptedAlert = (over: Partial<AlertEvent> = {}): AlertEvent => ({
  id: 1,
  target: 'host',
  at: NOW - 1000,
  from: 'none',
  severity: 'warning',
  health: 62.5,
  confidence: 0.9,
  trust: 0.8,
  message: 'cpu_busy is 97 %, usually 5 to 25 %',
  hints: scriptedHost().hints,
  ...over,
})

/** A publisher whose clocks and process facts are scripted. `clock.monotonic` is in ms. */
export function scriptedPublisher(options: Partial<PublisherOptions> = {}) {
  const clock = { monotonic: 1e6 }
  const monotonic = () => clock.monotonic
  const self = options.self ?? new SelfMetrics(monotonic)
  const errors: unknown[] = []
  const publisher = new MetricsPublisher({
    version: '0.1.0',
    nodeVersion: '20.0.0',
    scoreIntervalSeconds: 10,
    self,
    monotonic,
    onError: (error) => errors.push(error),
    process: () => ({
      startTimeSeconds: NOW / 1000 - 600,
      cpuSeconds: 12.5,
      residentBytes: 1e8,
      openFds: 32,
      heapUsedBytes: 2e7,
      heapSizeBytes: 4e7,
      eventLoopDelay: { meanSeconds: 0.0005, maxSeconds: 0.004 },
    }),
    ...options,
  })
  publisher.setModels([{ version: '0123456789ab', sha256: 'ab'.repeat(32), trainedSeconds: NOW / 1000 - 86400 }])
  const read = async (format: 'text' | 'openmetrics' = 'text') => {
    clock.monotonic += 1001
    return (await publisher.text(format, false)).body.toString('utf8')
  }
  return { publisher, self, clock, errors, read }
}

export interface ReadSample {
  readonly name: string
  readonly labels: ReadonlyMap<string, string>
  readonly value: number
}

export interface ReadFamily {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly unit: string | null
  readonly samples: ReadSample[]
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"/
const NUMBER = /^(?:[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\+Inf)$/
const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  gauge: [''],
  counter: ['_total'],
  histogram: ['_bucket', '_sum', '_count'],
  summary: ['', '_sum', '_count'],
}

/**
 * Reads OpenMetrics 1.0 and throws on whatever the specification forbids: metadata out of order or twice, a family in two
 * places, a suffix that its type does not have, a series twice, labels twice, NaN, a unit that does not end the name,
 * buckets that are not cumulative or lack +Inf, anything after `# EOF`.
 */
export function readOpenMetrics(text: string): ReadFamily[] {
  if (!text.endsWith('\n# EOF\n')) throw new Error('does not end with # EOF')
  const families = new Map<string, ReadFamily>()
  const series = new Set<string>()
  let current: { name: string; help?: string; type?: string; unit?: string; family?: ReadFamily } | null = null
  for (const line of text.slice(0, -'# EOF\n'.length).slice(0, -1).split('\n')) {
    const metadata = /^# (HELP|TYPE|UNIT) ([^ ]+) (.*)$/.exec(line)
    if (metadata !== null) {
      const [, kind = '', name = '', rest = ''] = metadata
      if (current === null || current.name !== name) {
        if (families.has(name)) throw new Error(`family ${name} appears twice`)
        current = { name }
      }
      if (current.family !== undefined) throw new Error(`metadata after samples: ${line}`)
      const key = kind.toLowerCase() as 'help' | 'type' | 'unit'
      if (current[key] !== undefined) throw new Error(`${kind} twice for ${name}`)
      current[key] = rest
      continue
    }
    if (line.startsWith('#') || line === '') throw new Error(`unexpected line ${JSON.stringify(line)}`)
    if (current === null) throw new Error(`sample without metadata: ${line}`)
    if (current.family === undefined) {
      const { name, type = 'unknown', help = '', unit } = current
      if (!(type in SUFFIXES)) throw new Error(`type ${type} of ${name}`)
      if (unit !== undefined && !name.endsWith(`_${unit}`)) throw new Error(`unit ${unit} does not end ${name}`)
      if (/_total$|_bucket$|_sum$|_count$/.test(name)) throw new Error(`reserved suffix in family ${name}`)
      current.family = { name, type, help, unit: unit ?? null, samples: [] }
      families.set(name, current.family)
    }
    const sample = readSample(line)
    const suffix = sample.name.slice(current.name.length)
    if (!sample.name.startsWith(current.name) || !SUFFIXES[current.family.type]?.includes(suffix)) {
      throw new Error(`${sample.name} is no sample of ${current.name} (${current.family.type})`)
    }
    const id = `${sample.name}${JSON.stringify([...sample.labels].sort())}`
    if (series.has(id)) throw new Error(`series twice: ${line}`)
    series.add(id)
    if (current.family.type !== 'gauge' && sample.value < 0) throw new Error(`negative: ${line}`)
    current.family.samples.push(sample)
  }
  for (const family of families.values()) if (family.type === 'histogram') checkBuckets(family)
  return [...families.values()]
}

function readSample(line: string): ReadSample {
  const name = NAME.exec(line)?.[0]
  if (name === undefined) throw new Error(`no name: ${line}`)
  let rest = line.slice(name.length)
  const labels = new Map<string, string>()
  if (rest.startsWith('{')) {
    rest = rest.slice(1)
    while (!rest.startsWith('}')) {
      const match = LABEL.exec(rest)
      if (match === null) throw new Error(`bad label: ${line}`)
      const [all, label = '', value = ''] = match
      if (labels.has(label)) throw new Error(`label ${label} twice: ${line}`)
      labels.set(
        label,
        value.replace(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c)),
      )
      rest = rest.slice(all.length)
      if (rest.startsWith(',')) rest = rest.slice(1)
      else if (!rest.startsWith('}')) throw new Error(`bad labels: ${line}`)
    }
    rest = rest.slice(1)
  }
  const value = rest.slice(1)
  if (!rest.startsWith(' ') || !NUMBER.test(value)) throw new Error(`bad value: ${line}`)
  return { name, labels, value: value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value) }
}

function checkBuckets({ name, samples }: ReadFamily): void {
  const groups = new Map<string, { bounds: number[]; counts: number[]; count?: number }>()
  for (const { name: sample, labels, value } of samples) {
    const id = JSON.stringify([...labels].filter(([label]) => label !== 'le'))
    const group = groups.get(id) ?? { bounds: [], counts: [] }
    groups.set(id, group)
    if (sample.endsWith('_bucket')) {
      const le = labels.get('le') ?? ''
      if (!/[.e]|\+Inf/.test(le)) throw new Error(`le="${le}" of ${name} is not written as a float`)
      group.bounds.push(le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le))
      group.counts.push(value)
    }
    if (sample.endsWith('_count')) group.count = value
  }
  for (const { bounds, counts, count } of groups.values()) {
    if (bounds.at(-1) !== Number.POSITIVE_INFINITY || counts.at(-1) !== count) throw new Error(`+Inf bucket of ${name}`)
    bounds.forEach((le, i) => {
      if (i > 0 && (le <= (bounds[i - 1] ?? 0) || (counts[i] ?? 0) < (counts[i - 1] ?? 0))) {
        throw new Error(`buckets of ${name} are not cumulative`)
      }
    })
  }
}
