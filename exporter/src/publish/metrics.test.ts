import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { Gauge, Registry } from 'prom-client'
import t from 'tap'
import type { Assessment, Outlook, Resource, ResourceOutlook } from '../types.ts'
import { METRICS, TARGET_METRICS } from './catalogue.ts'
import { bound, escapeLabel, familyName, joinFamilies, TargetTable, wellFormed } from './exposition.ts'
import { LatencyRing, MinuteRate } from './ring.ts'
import { SelfMetrics } from './self.ts'
import { horizon } from './series.ts'
import {
  NOW,
  type ReadFamily,
  readOpenMetrics,
  scriptedAlert,
  scriptedHost,
  scriptedOutlook,
  scriptedPublisher,
} from './testing.ts'

const golden = (name: string) => new URL(`../../fixtures/metrics/${name}`, import.meta.url)

/** A publisher in which everything that can be observed has been. */
function fullHost() {
  const scripted = scriptedPublisher({
    raw: 'all',
    seriesPerTarget: 500,
    shapFeatures: () => [
      { signal: 'cpu_busy', feature: 'last', value: 1.5 },
      { signal: 'cpu_busy', feature: 'mean', value: 1 },
    ],
  })
  const { publisher, self } = scripted
  publisher.setCollectorOutcomes([
    { collector: 'cpu', durationSeconds: 0.00025, success: true },
    { collector: 'probe', durationSeconds: 1.5, success: false },
  ])
  publisher.setStore({ sizeBytes: 4096, ballastBytes: 16777216, writeErrors: 0, rowsDropped: 0, corruptFiles: 1 })
  publisher.setForecasts({ series: 43, refused: 0 })
  self.inference(0.0008)
  self.inference(0.02)
  self.httpRequest('/metrics', 'GET', 200, 0.0005)
  self.httpRequest('/api/v1/targets/:target/health', 'BREW', 405, 2)
  self.cycleError('store')
  self.bundleLoadFailure('golden')
  self.rowDropped('late', 2)
  publisher.publish([scriptedHost()], NOW)
  publisher.alert(scriptedAlert())
  publisher.cycleEnded(NOW, 0.0125)
  return scripted
}

const seriesOf = (families: readonly ReadFamily[], target: string) =>
  families.flatMap((f) => f.samples.filter((s) => s.labels.get('target') === target).map((s) => s.name))

t.test('the whole text of a scripted host is the golden file, in both formats', async (t) => {
  const { read } = fullHost()
  for (const [format, name] of [
    ['text', 'host.prom'],
    ['openmetrics', 'host.openmetrics.prom'],
  ] as const) {
    const text = await read(format)
    if (process.env.UPDATE_GOLDEN !== undefined) writeFileSync(golden(name), text)
    t.equal(text, readFileSync(golden(name), 'utf8'), `${name} (UPDATE_GOLDEN=1 writes it anew)`)
  }
})

t.test('the catalogue and the text of a full host agree both ways', async (t) => {
  const families = readOpenMetrics(await fullHost().read('openmetrics'))
  const specs = new Map(METRICS.map((spec) => [familyName(spec, 'openmetrics'), spec]))
  t.equal(specs.size, METRICS.length, 'names are unique')
  t.same(
    [...specs.keys()].sort(),
    families.map((f) => f.name).sort(),
    'every family is listed and every listed one shown',
  )
  for (const family of families) {
    const spec = specs.get(family.name)
    if (spec === undefined) continue
    t.equal(family.type, spec.type, `${family.name} type`)
    t.equal(family.help, spec.help, `${family.name} help`)
    t.equal(family.unit, spec.unit ?? null, `${family.name} unit`)
    for (const { name, labels } of family.samples) {
      const expected = name.endsWith('_bucket') ? [...spec.labels, 'le'] : spec.labels
      if (JSON.stringify([...labels.keys()]) !== JSON.stringify(expected)) t.fail(`labels of ${name}`)
      for (const [label, values] of Object.entries(spec.values ?? {})) {
        if (!values.includes(labels.get(label) ?? '')) t.fail(`${label} of ${name}: ${labels.get(label)}`)
      }
    }
  }
})

t.test('names follow the conventions', async (t) => {
  for (const { name, type, unit, help } of METRICS) {
    t.match(name, /^(portent|process)_[a-z0-9_]+$/)
    t.equal(name.endsWith('_total'), type === 'counter', `${name}: _total is for counters`)
    if (unit !== undefined) t.ok(name.replace(/_total$/, '').endsWith(`_${unit}`), `${name} ends with its unit`)
    t.match(help, /^[A-Z][^"\\\n]+\.$/, `${name}: a sentence`)
  }
})

const noPromtool = spawnSync('promtool', ['--version']).error !== undefined && 'promtool is not installed'

t.test('promtool check metrics prints nothing', { skip: noPromtool }, async (t) => {
  const { stdout, stderr, status } = spawnSync('promtool', ['check', 'metrics'], { input: await fullHost().read() })
  t.equal(`${stdout}${stderr}`, '')
  t.equal(status, 0)
})

t.test('exactly one state of each set is 1', async (t) => {
  const families = readOpenMetrics(await fullHost().read('openmetrics'))
  for (const name of ['portent_risk_state', 'portent_severity_state', 'portent_model_state']) {
    const samples = families.find((f) => f.name === name)?.samples ?? []
    t.equal(samples.filter((s) => s.value === 1).length, 1, name)
    t.equal(samples.filter((s) => s.value === 0).length, samples.length - 1, name)
  }
})

t.test('in fallback mode there is no anomaly, confidence or SHAP series', async (t) => {
  const { publisher, read } = scriptedPublisher()
  publisher.publish([scriptedHost({ model: 'fallback', version: null, scores: null, shap: null })], NOW)
  const text = await read()
  t.notMatch(text, /portent_(anomaly|confidence|shap|model_info|alarm|false_alarm)/)
  t.match(text, 'portent_health_ratio{target="host"} 0.625\n')
  t.match(text, 'portent_model_state{target="host",state="fallback"} 1\n')
  t.match(text, 'portent_model_ready{target="host"} 0\n')
})

t.test('before the windows are full only their progress is shown', async (t) => {
  const { publisher, read } = scriptedPublisher()
  publisher.publish(
    [scriptedHost({ outlook: null, drift: null, warmup: { window: 1, failure: 0.5, drift: 0.25 } })],
    NOW,
  )
  const text = await read()
  t.notMatch(text, /portent_(failure|drift|forecast|resource_exhaustion)/)
  t.match(text, 'portent_warmup_progress_ratio{target="host",window="drift"} 0.25\n')
})

t.test('a score older than three intervals leaves, its time and model state stay', async (t) => {
  const { publisher, clock, read } = scriptedPublisher()
  publisher.publish([scriptedHost({ at: NOW })], NOW)
  clock.monotonic += 28_900
  t.match(await read(), 'portent_health_ratio{', 'at 29.9 s it is shown')
  const stale = readOpenMetrics(await read('openmetrics'))
  t.strictSame(seriesOf(stale, 'host').sort(), [
    'portent_last_score_timestamp_seconds',
    'portent_model_ready',
    'portent_model_state',
    'portent_model_state',
  ])
  publisher.publish([scriptedHost({ at: NOW + 60_000 })], NOW + 60_000)
  t.match(await read(), 'portent_health_ratio{', 'a new score brings it back')
  publisher.publish([scriptedHost({ at: NOW - 31_000 })], NOW)
  t.notMatch(await read(), 'portent_health_ratio{', 'a score that arrives too old is not shown')
})

t.test('a vanished mount, signal and target vanish; counts of alerts stay', async (t) => {
  const { publisher, read } = scriptedPublisher()
  const resources: Resource[] = [
    { resource: 'filesystem:/a', used: 0.1 },
    { resource: 'filesystem:/b', used: 0.2 },
  ]
  publisher.publish([scriptedHost({ resources }), scriptedHost({ target: 'other' })], NOW)
  publisher.alert(scriptedAlert())
  t.match(await read(), 'portent_resource_used_ratio{target="host",resource="filesystem:/a"} 0.1\n')
  publisher.publish([scriptedHost({ resources: resources.slice(1), values: { cpu_busy: 0.5 } })], NOW)
  publisher.removeTarget('other')
  const text = await read()
  t.notMatch(text, 'filesystem:/a')
  t.match(text, 'portent_resource_used_ratio{target="host",resource="filesystem:/b"} 0.2\n')
  t.notMatch(text, 'memory_used"} 0.0')
  t.notMatch(text, 'target="other"')
  t.match(text, 'portent_alerts_total{target="host",severity="warning"} 1\n')
  t.match(text, 'portent_alerts_total{target="host",severity="critical"} 0\n')
})

t.test('a value that is not finite is left out and counted', async (t) => {
  const { publisher, read } = scriptedPublisher()
  publisher.setStore({ sizeBytes: Number.NaN })
  publisher.publish([scriptedHost({ health: Number.NaN, trust: Number.POSITIVE_INFINITY })], NOW)
  const text = await read()
  t.notMatch(
    text.replaceAll(/^portent_resource_exhaustion.*\n/gm, ''),
    / (NaN|[+-]Inf)\n/,
    'but for what is never exhausted',
  )
  t.notMatch(text, 'portent_health_ratio')
  t.match(text, 'portent_non_finite_total 3\n')
  t.match(text, 'portent_risk_state{', 'the other series of the target are there')
})

t.test('a target has at most its limit of series, the important ones, and the rest is counted', async (t) => {
  const resources = Array.from({ length: 200 }, (_, i) => ({ resource: `filesystem:/m${i}`, used: i / 200 }))
  const { publisher, read } = scriptedPublisher({ raw: 'all' })
  publisher.publish([scriptedHost({ resources })], NOW)
  const families = readOpenMetrics(await read('openmetrics'))
  t.equal(seriesOf(families, 'host').length, 150)
  const used = families.find((f) => f.name === 'portent_resource_used_ratio')?.samples ?? []
  t.equal(used[0]?.labels.get('resource'), 'filesystem:/m199', 'the fullest resource is among them')
  const dropped = families.find((f) => f.name === 'portent_series_dropped')?.samples[0]?.value ?? 0
  const raw = Object.keys(scriptedHost().values).length - 11
  t.equal(dropped, raw, 'what was asked for and does not fit is counted, what was not is left out')
})

t.test('the forecast of a signal is there as a whole or not at all', async (t) => {
  const [one, two] = scriptedOutlook().forecasts
  const forecasts = Array.from({ length: 20 }, (_, i) => ({ ...(i === 0 ? one : two), signal: `signal_${i}` }))
  const { publisher, read } = scriptedPublisher()
  publisher.publish([scriptedHost({ outlook: { ...scriptedOutlook(), forecasts } as Outlook })], NOW)
  const text = await read()
  const series = text.match(/^portent_forecast_ratio\{.*$/gm) ?? []
  t.ok(series.length > 0 && series.length < 120)
  t.equal(series.length % 6, 0)
  t.match(text, 'portent_series_dropped_total 0\n')
})

t.test('what is foreseen to run out is told first, then the fullest of the rest', async (t) => {
  const { publisher, read } = scriptedPublisher()
  const outlook = scriptedOutlook()
  const [memory, disk] = outlook.resources as [ResourceOutlook, ResourceOutlook]
  const quiet = Array.from({ length: 8 }, (_, i) => ({ ...disk, resource: `filesystem:/m${i}`, level: i / 8 }))
  publisher.publish([scriptedHost({ outlook: { ...outlook, resources: [memory, ...quiet] } })], NOW)
  const found = [...(await read()).matchAll(/^portent_resource_exhaustion.*resource="(.*)",quantile="0.5"\} (.*)$/gm)]
  t.strictSame(
    found.map(([, resource, at]) => `${resource} ${at}`),
    ['memory 1767333844', 'filesystem:/m7 +Inf', 'filesystem:/m6 +Inf', 'filesystem:/m5 +Inf', 'filesystem:/m4 +Inf'],
  )
})

t.test('a full host with raw signals and a dozen resources fits the default limit', async (t) => {
  const resources = Array.from({ length: 12 }, (_, i) => ({ resource: `filesystem:/m${i}`, used: 0.5 }))
  const { publisher, read } = scriptedPublisher({ raw: 'all' })
  publisher.publish([scriptedHost({ resources })], NOW)
  t.match(await read(), 'portent_series_dropped_total 0\n')
})

t.test('the text is rendered at most once a second and served as it was in between', async (t) => {
  const { publisher, clock, read } = scriptedPublisher()
  publisher.publish([scriptedHost()], NOW)
  const first = await publisher.text('text', false)
  publisher.publish([scriptedHost({ health: 10 })], NOW)
  clock.monotonic += 999
  t.equal((await publisher.text('text', false)).body, first.body, 'the very same buffer')
  clock.monotonic += 1
  t.match((await publisher.text('text', false)).body.toString(), 'portent_health_ratio{target="host"} 0.1\n')
  const zipped = await publisher.text('openmetrics', true)
  t.equal(zipped.encoding, 'gzip')
  t.equal((await publisher.text('openmetrics', true)).body, zipped.body, 'compressed once')
  t.equal(gunzipSync(zipped.body).toString(), (await publisher.text('openmetrics', false)).body.toString())
  t.match(await read(), '0.1\n')
})

t.test('a large text is compressed off the event loop and is the same text', async (t) => {
  const { publisher } = scriptedPublisher()
  publisher.publish(
    Array.from({ length: 40 }, (_, i) => scriptedHost({ target: `host-${i}` })),
    NOW,
  )
  const [a, b] = await Promise.all([publisher.text('text', true), publisher.text('text', true)])
  t.equal(gunzipSync(a.body).toString(), (await publisher.text('text', false)).body.toString())
  t.equal(a.body, b.body)
})

t.test('one throwing source costs itself only', async (t) => {
  const { publisher, read, errors } = scriptedPublisher({
    process: () => {
      throw new Error('no /proc')
    },
  })
  publisher.publish([scriptedHost()], NOW)
  const text = await read()
  t.match(text, 'portent_health_ratio{')
  t.notMatch(text, 'process_cpu_seconds_total')
  t.equal(errors.length, 1)
})

t.test('an assessment that cannot be written costs its target only', async (t) => {
  const { publisher, read, errors } = scriptedPublisher()
  const broken = { ...scriptedHost({ target: 'broken' }), warmup: undefined } as unknown as Assessment
  publisher.publish([scriptedHost(), broken, scriptedHost({ target: 'third' })], NOW)
  const text = await read()
  t.match(text, 'portent_health_ratio{target="third"}')
  t.notMatch(text, 'target="broken"')
  t.match(text, 'portent_cycle_errors_total{step="publish"} 1\n')
  t.equal(errors.length, 1)
})

t.test('label values from anywhere come back as they were', async () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom('"', '\\', '\n', '{', '}', ',', '=', ' ', '#', '\u0000', '\r', '\ud800', 'n') }),
  )
  await fc.assert(
    fc.asyncProperty(hostile, hostile, fc.double(), async (target, resource, used) => {
      const { publisher, read } = scriptedPublisher()
      publisher.publish([scriptedHost({ target, resources: [{ resource, used }] })], NOW)
      const families = readOpenMetrics(await read('openmetrics'))
      const sample = families.find((f) => f.name === 'portent_resource_used_ratio')?.samples[0]
      if (!Number.isFinite(used) || sample === undefined) return sample === undefined && !Number.isFinite(used)
      return (
        sample.labels.get('target') === wellFormed(target) &&
        sample.labels.get('resource') === wellFormed(resource).replaceAll('\u0000', '\ufffd') &&
        Object.is(sample.value + 0, used + 0)
      )
    }),
    { numRuns: 150 },
  )
})

t.test('escapes, bounds and horizons', async (t) => {
  t.equal(escapeLabel('a"b\\c\nd'), 'a\\"b\\\\c\\nd')
  t.equal(escapeLabel('\ud800'), '\ufffd')
  t.strictSame([bound(1), bound(0.5), bound(Number.POSITIVE_INFINITY), bound(1e-7)], ['1.0', '0.5', '+Inf', '1e-7'])
  t.strictSame([horizon(3600), horizon(900), horizon(90), horizon(86400)], ['1h', '15m', '90s', '24h'])
})

t.test('counters refuse what would poison them and unknown label values become other', async (t) => {
  const self = new SelfMetrics()
  self.count('portent_non_finite_total', {}, Number.NaN)
  self.count('portent_non_finite_total', {}, -1)
  self.cycle(Number.NaN)
  self.cycleError('never heard of')
  const text = joinFamilies(await self.render(), 'text').toString()
  t.match(text, 'portent_non_finite_total 0\n')
  t.match(text, 'portent_cycle_duration_seconds_count 0\n')
  t.match(text, 'portent_cycle_errors_total{step="other"} 1\n')
  t.match(text, 'portent_rows_dropped_total{reason="late"} 0\n', 'known series start at 0')
})

t.test('latency percentiles are nearest ranks of the latest values', async (t) => {
  const ring = new LatencyRing(100)
  t.equal(ring.percentiles(), null)
  for (let i = 0; i < 50; i++) ring.add(1000)
  for (let i = 1; i <= 100; i++) ring.add(i)
  ring.add(Number.NaN)
  t.strictSame(ring.percentiles(), { count: 100, p50: 50, p95: 95, p99: 99 })
  const rate = new MinuteRate()
  for (const at of [0, 500, 30_000, 59_999, 60_000]) rate.add(at)
  t.equal(rate.perMinute(60_000), 3)
  t.equal(rate.perMinute(200_000), 0)
})

t.test('rendering 25,000 series takes at most 0.35 of the time prom-client takes', async (t) => {
  const targets = 250
  const signals = Array.from({ length: 100 }, (_, i) => `signal_${i}`)
  const family = TARGET_METRICS.findIndex((m) => m.name === 'portent_shap_value')
  const table = new TargetTable(TARGET_METRICS, 1000)
  const registry = new Registry()
  const gauge = new Gauge({ name: 'x', help: 'x', labelNames: ['target', 'signal'], registers: [registry] })
  const value = (i: number, j: number, round: number) => Math.sin(i * 100 + j + round)
  const fill = (round: number) => {
    for (let i = 0; i < targets; i++) {
      table.write(`host-${i}`, (w) => {
        for (let j = 0; j < signals.length; j++) w.put(family, signals[j] ?? '', value(i, j, round))
      })
    }
  }
  const fillTheirs = (round: number) => {
    for (let i = 0; i < targets; i++) {
      const target = `host-${i}`
      for (let j = 0; j < signals.length; j++) gauge.set({ target, signal: signals[j] ?? '' }, value(i, j, round))
    }
  }
  const best = { ours: Number.POSITIVE_INFINITY, theirs: Number.POSITIVE_INFINITY }
  for (let round = 0; round < 3; round++) {
    let start = performance.now()
    fill(round)
    const ours = joinFamilies(await table.render(), 'text')
    if (round > 0) best.ours = Math.min(best.ours, performance.now() - start)
    start = performance.now()
    fillTheirs(round)
    const theirs = Buffer.from(await registry.metrics())
    if (round > 0) best.theirs = Math.min(best.theirs, performance.now() - start)
    t.ok(ours.length > 0 && theirs.length > 0)
  }
  const share = best.ours / best.theirs
  console.log(
    `# set and render 25,000 series: ${best.ours.toFixed(0)} ms, prom-client ${best.theirs.toFixed(0)} ms: ${share.toFixed(2)}x`,
  )
  t.ok(share <= 0.35, `${share.toFixed(2)}x`)
})
