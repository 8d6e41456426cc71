import { GREEN, type RowOutcome, TargetState } from '@portent/core'
import t from 'tap'
import type { Resource } from '../types.ts'
import { Escalation } from './alerts.ts'
import { assess } from './assess.ts'
import { hintsOfPenalties, hintsOfShap } from './hints.ts'
import { ExhaustionHold } from './hold.ts'
import { type SeverityInputs, severityOf } from './severity.ts'
import { symptomsOf } from './symptoms.ts'
import { trustOf } from './trust.ts'
import { formatValue, hintSentence } from './words.ts'

const near = (a: number, b: number) => Math.abs(a - b) < 1e-9

t.test('severity follows its table', async (t) => {
  const full: Resource = { resource: 'filesystem:/var', used: 0.995 }
  const roomy: Resource = { resource: 'filesystem:/', used: 0.9 }
  const row = (
    risk: SeverityInputs['risk'],
    confidence: number | null,
    trust: number,
    symptoms: string[] = [],
    resources: Resource[] = [roomy],
    alarm = true,
  ): SeverityInputs => ({ risk, confidence, trust, symptoms, resources, alarm })
  const left = (...hours: number[]) => hours.map((h, i) => ({ resource: `mount ${i}`, seconds: 3600 * h }))
  const table: [string, SeverityInputs, string][] = [
    ['a quiet host', row('green', 0.5, 1, [], [], false), 'none'],
    ['unusual, but healthy', row('green', 0.999, 1), 'info'],
    ['yellow and sure', row('yellow', 1, 0.5), 'warning'],
    ['yellow and not sure', row('yellow', 0.99, 0.5), 'info'],
    ['red, sure, with a symptom', row('red', 1, 0.8, ['cpu_busy 99 % is above 90 %']), 'critical'],
    ['red and sure on a score alone', row('red', 1, 1), 'warning'],
    ['red with a symptom, less sure', row('red', 0.999, 0.8, ['slow']), 'warning'],
    ['red and not believed', row('red', 1, 0.2, ['slow']), 'info'],
    ['a hard limit reached', row('green', 0.1, 0.1, [], [roomy, full]), 'critical'],
    ['runs out in a day at the soonest', { ...row('green', 0.1, 1, [], [], false), exhaustion: left(24) }, 'warning'],
    ['runs out later than that', { ...row('green', 0.1, 1, [], [], false), exhaustion: left(24.1) }, 'none'],
    ['runs out in four hours at the soonest', { ...row('green', 0.1, 0), exhaustion: left(9, 4) }, 'critical'],
    ['runs out today, and more', { ...row('red', 1, 1, ['slow']), exhaustion: left(9) }, 'critical'],
    ['when it runs out is not known', { ...row('green', 0, 1), exhaustion: left(Number.NaN) }, 'info'],
    ['rules alone', row('yellow', null, 0, ['cpu_busy 99 % is above 90 %']), 'warning'],
    ['confidence that is not a number', row('red', Number.NaN, 1, ['slow']), 'info'],
    ['trust that is not a number', row('red', 1, Number.NaN, ['slow']), 'info'],
  ]
  for (const [name, inputs, severity] of table) t.equal(severityOf(inputs).severity, severity, name)
  t.match(severityOf(row('green', 0, 0, [], [full])).reason, 'filesystem:/var has reached its limit')
  const soon = { ...row('green', 0, 0), exhaustion: left(30, 3.25) }
  t.match(severityOf(soon).reason, 'mount 1 may run out within 3.3 hours')
})

t.test('trust is coverage x history x drift x model state', async (t) => {
  const base = { coverage: 1, rows: 2160, intervalSeconds: 10, driftDetected: false, modelActive: true }
  t.equal(trustOf(base).value, 1)
  t.equal(trustOf({ ...base, coverage: 0.5 }).value, 0.5, 'absent signals')
  t.equal(trustOf({ ...base, driftDetected: true }).value, 0.6)
  t.equal(trustOf({ ...base, modelActive: false }).value, 0, 'rules are no model')
  t.ok(trustOf({ ...base, rows: 1 }).value < 0.25, 'low at the first row')
  t.ok(near(trustOf({ ...base, rows: 30 }).value, 0.2 + 0.5 + (0.3 * 30) / 2160))
  t.equal(trustOf({ ...base, coverage: Number.NaN }).value, 0)
})

t.test('a target alerts on escalation only', async (t) => {
  const escalation = new Escalation()
  const steps = (...severities: Parameters<Escalation['step']>[0][]) => severities.map((s) => escalation.step(s))
  t.same(steps('none', 'info'), [null, null], 'info is no alert')
  t.same(steps('warning', 'warning', 'warning'), ['info', null, null])
  t.same(steps('info', 'warning', 'info', 'warning'), [null, null, null, null], 'a score on the border')
  t.same(steps('critical'), ['warning'])
  t.same(steps('none', 'none', 'none', 'none', 'none', 'none'), new Array(6).fill(null))
  t.same(steps('warning'), ['none'], 'alerts again after it was calm')
})

t.test('symptoms name what a user would notice', async (t) => {
  const penalties = [{ signal: 'cpu_busy', value: 0.98, limit: 0.9, points: 20 }]
  t.same(symptomsOf({ cpu_busy: 0.98, probe_failed: 0.5, response_time: 0.04 }, penalties, 0.01), [
    'cpu_busy 98.0 % is above 90.0 %',
    '50.0 % of the probes failed',
    'response_time 40.0 ms is 4 times the usual',
  ])
  t.same(symptomsOf({ response_time: 9 }, [], Number.NaN), [], 'while the usual time is unknown')
  t.same(symptomsOf({}, [], 0.01), [])
})

t.test('hints rank the signals by their share, with direction and usual range', async (t) => {
  const shap = { base: 1, output: 11, signals: { a: 6, b: 3.5, c: 0.5, d: -0.5, e: 0.5 } }
  // last, mean, std, slope, spike, rate of five signals
  const features = new Float64Array(30)
  features[0] = 5
  features[5] = 4
  features[1] = -3
  features[11] = 20
  const usual = (signal: string) => (signal === 'a' ? { low: 1, middle: 2, high: 3 } : null)
  const hints = hintsOfShap(shap, features, { values: { a: 9, b: 1, c: 1, d: 1 }, usual })
  t.same(hints, [
    { signal: 'a', value: 9, usual: { low: 1, high: 3 }, direction: 'above', contribution: 6 },
    { signal: 'b', value: 1, usual: null, direction: 'unsteady', contribution: 3.5 },
  ])
  t.same(hintsOfShap({ ...shap, signals: { a: -1 } }, features, { values: { a: 9 }, usual }), [])
  const penalties = [
    { signal: 'memory_used', value: 0.9, limit: 0.88, points: 11 },
    { signal: 'cpu_busy', value: 1, limit: 0.9, points: 24 },
  ]
  t.same(
    hintsOfPenalties(penalties, () => null).map((h) => h.signal),
    ['cpu_busy', 'memory_used'],
  )
})

t.test('what has stopped comes first, however little the score sees of it', async (t) => {
  const shap = { base: 1, output: 11, signals: { a: 6, b: 3.5, c: 0.5, d: -0.5, e: 1 } }
  const features = new Float64Array(30).fill(5)
  const usual = () => ({ low: 1, middle: 2, high: 3 })
  const values = { a: 9, b: 9, c: 0, d: 0, e: 9 }
  const hints = hintsOfShap(shap, features, { values, usual, stopped: ['d', 'c', 'gone'] })
  t.same(
    hints.map((h) => [h.signal, h.direction, h.contribution]),
    [
      ['c', 'stopped', 0.5],
      ['d', 'stopped', -0.5],
      ['a', 'above', 6],
    ],
    'and none is named twice',
  )
  const [hint] = hintsOfShap(shap, features, { values: { b: 0 }, usual: () => null, stopped: ['b'] })
  t.equal(hint && hintSentence(hint), 'b has stopped: exactly 0, never so before')
})

t.test('a row that is held against a recurring job says so', async (t) => {
  const scores = {
    anomaly: { ensemble: 0.9 },
    raw: 1.8,
    ranking: 1.8,
    threshold: 2,
    over: false,
    alarm: false,
    confidence: 0.99,
    budget: { requested: 0.005, realised: 0 },
    recurring: true,
    stopped: [],
  }
  const reason = (more: Partial<typeof scores>) => {
    const outcome: RowOutcome = {
      scores: { ...scores, ...more },
      health: 85,
      risk: GREEN,
      penalties: [],
      drift: null,
    }
    const { assessment } = assess({
      row: { target: 'host', at: 0, values: {}, resources: [] },
      state: new TargetState(null, { intervalSeconds: 10, sensitivity: 5 }),
      outcome,
      manifest: null,
      shap: null,
      features: null,
      outlook: null,
      intervalSeconds: 10,
      sensitivity: 5,
    })
    return assessment.riskReason
  }
  t.equal(reason({}), 'health 85, anomaly 0.90 of the threshold, recurs at this hour')
  t.equal(reason({ recurring: false }), 'health 85, anomaly 0.90 of the threshold')
})

t.test('values are written with the units an operator reads', async (t) => {
  const table: [string, number, string][] = [
    ['cpu_busy', 0.934, '93.4 %'],
    ['cpu_busy', 0, '0 %'],
    ['cpu_busy', 1, '100 %'],
    ['disk_read', 1_258_291, '1.20 MiB/s'],
    ['disk_read', 12, '12.0 B/s'],
    ['response_time', 0.0021, '2.10 ms'],
    ['response_time', 3.5, '3.50 s'],
    ['context_switches', 1500, '1500/s'],
    ['temperature', 61.2, '61.2 °C'],
    ['of_a_user', 7, '7.00'],
  ]
  for (const [signal, value, words] of table) t.equal(formatValue(signal, value), words)
  const hint = { signal: 'cpu_busy', value: 0.98, direction: 'above', contribution: 3 } as const
  t.equal(hintSentence({ ...hint, usual: { low: 0.02, high: 0.09 } }), 'cpu_busy 98.0 %, usually 2.00 % to 9.00 %')
  t.equal(hintSentence({ ...hint, usual: null }), 'cpu_busy 98.0 %', 'what is usual is not known yet')
  t.equal(
    hintSentence({
      signal: 'network_receive',
      value: 0,
      usual: { low: 2048, high: 4096 },
      direction: 'stopped',
      contribution: 0,
    }),
    'network_receive has stopped: exactly 0, never so before, usually 2.00 KiB/s to 4.00 KiB/s',
  )
})

t.test('a severity by exhaustion does not flap on a border', async (t) => {
  const hold = new ExhaustionHold()
  const soonest = (minute: number, hours: number | null) => {
    const foreseen = hours === null ? [] : [{ resource: 'memory', seconds: 3600 * hours, sentence: `in ${hours} h` }]
    return Math.min(...hold.step(60 * minute, foreseen).map((x) => x.seconds / 3600))
  }
  t.same([soonest(0, 40), soonest(1, 23.9), soonest(2, 24.1), soonest(3, 29), soonest(60, 23)], [40, 23.9, 24, 24, 23])
  t.same([soonest(61, null), soonest(65, null), soonest(66, 24)], [23, 23, 24], 'a gap of some minutes is none')
  t.same([soonest(67, 3.9), soonest(68, 4.9), soonest(200, 4.9)], [3.9, 4, 4])
  t.same([soonest(201, 6), soonest(210, 6), soonest(211, 6)], [4, 4, 6], 'ten minutes later it is left')
  t.same([soonest(212, 26), soonest(213, null), soonest(222, null)], [24, 6, 6])
  t.equal(soonest(224, null), Number.POSITIVE_INFINITY, 'and withdrawn')
})
