import { readFileSync } from 'node:fs'
import t from 'tap'
import { Random } from '../random.ts'
import {
  alarmMeasures,
  averagePrecisionOf,
  bestF1Of,
  driftMeasures,
  driftTrial,
  eventsOf,
  explanationMeasures,
  nabStandardScore,
  operatingPoints,
  pairedDifference,
  periodOf,
  probationRows,
  rankSignals,
  refractory,
  rocAreaOf,
  rowsAtAlarm,
  volumeUnderSurface,
} from './index.ts'

interface Oracle {
  readonly label: number[]
  readonly cases: { score: number[]; window: number; vus: [roc: number, pr: number]; auc_pr: number; auc_roc: number }[]
}

const oracle = JSON.parse(
  readFileSync(new URL('../../fixtures/oracle/evaluation_measures.json', import.meta.url), 'utf8'),
) as Oracle

const near = (a: number, b: number, off = 1e-12) => Math.abs(a - b) <= off
const rows = (n: number, of: (i: number) => number) => Float64Array.from({ length: n }, (_, i) => of(i))
const within =
  (...ranges: [number, number][]) =>
  (i: number) =>
    Number(ranges.some(([a, b]) => i >= a && i <= b))

t.test('volumes and areas are those of the reference', async (t) => {
  t.ok(oracle.cases.length >= 4)
  for (const { score, window, vus, auc_pr, auc_roc } of oracle.cases) {
    const { roc, pr } = volumeUnderSurface(score, oracle.label, window)
    t.ok(near(roc, vus[0]) && near(pr, vus[1]), `${roc} ${pr} for ${vus}`)
    const points = operatingPoints(score, oracle.label)
    t.ok(near(averagePrecisionOf(points), auc_pr))
    t.ok(near(rocAreaOf(points), auc_roc))
  }
})

t.test('areas and the best F1 of five rows are those found by hand, ties sharing a threshold', async (t) => {
  // From the top: {hit}, {hit, miss} tied, {hit}, {miss}.
  const points = operatingPoints([3, 2, 2, 1, 0], [1, 1, 0, 1, 0])
  t.same(
    points.points.map((x) => [x.threshold, x.truePositives, x.falsePositives]),
    [
      [3, 1, 0],
      [2, 2, 1],
      [1, 3, 1],
      [0, 3, 2],
    ],
  )
  t.ok(near(averagePrecisionOf(points), 1 / 3 + (1 / 3) * (2 / 3) + (1 / 3) * (3 / 4)))
  // Pairs in order: 2 of (3), 1.5 of (2), 1 of (1), of six.
  t.ok(near(rocAreaOf(points), 4.5 / 6))
  t.same(bestF1Of(points), { f1: 6 / 7, threshold: 1 })
  t.throws(() => operatingPoints([1, 2], [0, 0]), { message: 'no row is labelled anomalous' })
})

t.test(
  'the volume is 1 for the labels themselves, less the later the score, and refuses what has no labels',
  async (t) => {
    const labels = rows(1000, within([100, 149], [700, 720]))
    const late = (delay: number, buffer: number) =>
      volumeUnderSurface(
        rows(1000, (i) => labels[i - delay] ?? 0),
        labels,
        buffer,
      ).pr
    t.ok(near(late(0, 0), 1) && near(late(0, 60), 1))
    t.ok(near(volumeUnderSurface(labels, labels, 60).roc, 1))
    t.ok(late(5, 60) < 1 && late(10, 60) < late(5, 60))
    t.ok(late(10, 60) > late(10, 0), 'a buffer forgives some rows')
    t.throws(() => volumeUnderSurface(labels, new Uint8Array(1000), 10), { message: 'no row is labelled anomalous' })
    t.throws(() => volumeUnderSurface([Number.NaN, 1], [0, 1], 10), { message: 'a score is not finite' })
  },
)

t.test('the volume of four rows is the one found by hand', async (t) => {
  // n = 4, one event at row 1, buffers of 0, 1 and 2: with 2, rows 0 and 2 count sqrt(1/2) each.
  // Thresholds are ranks 0 (82 times), 1 (83), 2 (83), 3 (1); repeats add nothing to an area.
  const scores = [0, 3, 2, 1]
  const plain = volumeUnderSurface(scores, [0, 1, 0, 0], 0)
  t.ok(near(plain.pr, 1) && near(plain.roc, 1))
  const half = Math.SQRT1_2
  // Cut after row 1, 2, 3, 0: hits 1, 1 + half, 1 + half, 1 + 2 half; truth 1 + half of what was added.
  const hits = [1, 1 + half, 1 + half, 1 + 2 * half]
  const added = [0, half, half, 2 * half]
  const recall = hits.map((x, k) => Math.min(1, x / (1 + (added[k] as number) / 2)))
  const rate = hits.map((x, k) => (k + 1 - x) / (4 - 1 - (added[k] as number) / 2))
  const area = { pr: 0, roc: 0 }
  for (let k = 0; k < 4; k++) {
    const [r, before] = [recall[k] as number, recall[k - 1] ?? 0]
    area.pr += ((r - before) * (hits[k] as number)) / (k + 1)
    area.roc += (((rate[k] as number) - (rate[k - 1] ?? 0)) * (r + before)) / 2
  }
  area.roc += 1 - (rate[3] as number)
  const found = volumeUnderSurface(scores, [0, 1, 0, 0], 2)
  t.ok(near(found.pr, (2 + area.pr) / 3) && near(found.roc, (2 + area.roc) / 3))
})

t.test('28,000 rows with a buffer of 300 take well under two seconds', async (t) => {
  const random = new Random('vus')
  const labels = rows(28_000, (i) => Number(i % 1000 < 120))
  const scores = rows(28_000, (i) => random.normal() + (labels[i] as number))
  const started = performance.now()
  volumeUnderSurface(scores, labels, 300)
  const took = performance.now() - started
  t.ok(took < 2000, `${took} ms`)
})

t.test('the period is the highest peak of the autocorrelation', async (t) => {
  t.equal(periodOf(rows(5000, (i) => Math.sin((2 * Math.PI * i) / 48))), 48)
  const random = new Random('period')
  t.equal(periodOf(rows(30_000, (i) => Number(i % 60 < 6) + 0.1 * random.normal())), 60)
  t.equal(periodOf(new Float64Array(500)), 125)
  t.equal(periodOf([1, 2, 1]), 125)
  // A period beyond 303 rows is none.
  t.equal(periodOf(rows(5000, (i) => Math.sin((2 * Math.PI * i) / 350))), 125)
})

t.test('alarms are judged by rows and by events, with a margin for false ones', async (t) => {
  const labels = rows(200, within([50, 59], [120, 129]))
  // Found after 3 rows; in the margin; wholly outside; partly within a margin.
  const alarms = rows(200, within([53, 55], [62, 63], [80, 83], [134, 138]))
  const found = alarmMeasures(alarms, labels, { margin: 5, rowsPerDay: 100 })
  // 200 rows less 20 each.
  t.ok(near(found.falsePositiveRate, (4 + 4) / 160))
  t.ok(near(found.precision, 3 / 14) && near(found.recall, 3 / 20) && near(found.f1, 6 / 34))
  t.match(found, { events: 2, eventRecall: 0.5, delays: [3], delayMedian: 3, delayP90: 3, falseEpisodesPerDay: 0.5 })
  const none = alarmMeasures(new Uint8Array(200), labels, { margin: 0, rowsPerDay: 100 })
  t.match(none, { falsePositiveRate: 0, precision: 0, f1: 0, eventRecall: 0, delayMedian: null, delayP90: null })
  const late = alarmMeasures(rows(200, within([51, 59], [125, 125])), labels, { margin: 0, rowsPerDay: 100 })
  t.ok(late.delayMedian === 3 && near(late.delayP90 as number, 4.6))
  t.same(eventsOf([1, 1, 0, 1]), [
    { start: 0, end: 1 },
    { start: 3, end: 3 },
  ])
})

t.test('an explanation is judged by the signals that it names first', async (t) => {
  const nan = Number.NaN
  const values = Float64Array.from([
    ...[9, 0, 0, 0, 0],
    ...[0, 5, 1, 4, 2],
    ...[0, 3, nan, 4, 2],
    ...[nan, nan, nan, nan, nan],
    ...[1, 2, 3, 4, 5],
  ])
  const attributions = { values, width: 5 }
  t.same(rankSignals(attributions, { start: 1, end: 2 }), [1, 3, 4, 2, 0])
  t.same(rankSignals(attributions, { start: 3, end: 3 }), [0, 1, 2, 3, 4])
  const events = [
    { start: 1, end: 2, signals: [1, 4] },
    { start: 3, end: 4, signals: [0] },
  ]
  // First: of [1,3] one, of [1,3,4] both, first true. Second: 4, then 3, 2, 1, 0.
  t.same(explanationMeasures(attributions, events), { events: 2, hit100: 0.25, hit150: 0.5, top1: 0.5, top3: 0.5 })
  const first = explanationMeasures(attributions, events, (event) => rowsAtAlarm([0, 0, 1, 0, 0], event))
  // Row 2 alone: [3, 1, 4, ...].
  t.same(first, { events: 1, hit100: 0.5, hit150: 1, top1: 0, top3: 1 })
  t.same(rowsAtAlarm([0, 1, 0, 0, 0, 0, 0, 0], { start: 0, end: 7 }), { start: 1, end: 5 })
  t.ok(Number.isNaN(explanationMeasures(attributions, []).hit100))
})

t.test('the benchmark of Numenta: silence is 0, all at once at the start 100, and false alarms cost', async (t) => {
  const windows = [
    { start: 400, end: 499 },
    { start: 700, end: 799 },
  ]
  const flat = nabStandardScore([{ scores: new Float64Array(1000), windows }])
  t.match(flat, { score: 0, threshold: Number.POSITIVE_INFINITY, windows: 2, found: 0, falsePositives: 0 })
  const perfect = nabStandardScore([{ scores: rows(1000, within([400, 400], [700, 700])), windows }])
  t.match(perfect, { windows: 2, found: 2, falsePositives: 0, threshold: 1 })
  t.ok(near(perfect.score, 100))

  const sigmoid = (x: number) => 2 / (1 + Math.exp(5 * x)) - 1
  // Half way through one window, a false alarm before any window, one 20 rows after the window.
  const found = nabStandardScore([{ scores: rows(1000, within([300, 300], [450, 450], [519, 519])), windows }])
  const raw = sigmoid(-0.5) / sigmoid(-1) - 1 - 0.11 + 0.11 * sigmoid(20 / 99)
  t.ok(near(found.score, (100 * (raw + 2)) / 4), `${found.score}`)
  t.match(found, { found: 1, falsePositives: 2 })

  // The first 150 rows count for nothing, and one threshold serves all series.
  const quiet = rows(1000, within([10, 140], [400, 400], [700, 700]))
  const loud = rows(1000, (i) => 2 * Number(i % 3 === 0))
  t.ok(near(nabStandardScore([{ scores: quiet, windows }]).score, 100))
  const both = nabStandardScore([
    { scores: quiet, windows },
    { scores: loud, windows: [] },
  ])
  t.match(both, {
    score: 0,
    windows: 2,
    found: 0,
    series: [
      { windows: 2, worth: -2 },
      { windows: 0, worth: 0 },
    ],
  })
  t.equal(probationRows(1001), 150)
  t.equal(probationRows(16_000), 750)
})

t.test('by the refractory rule a row counts only as the highest of the last ones', async (t) => {
  const none = Number.NEGATIVE_INFINITY
  t.same([...refractory([1, 2, 2, 1, 0, 1, 3, 2, 2, 4], 0.3)], [1, 2, none, none, none, none, 3, none, none, 4])
  t.same([...refractory([3, 2, 1, 0], 0.5)], [3, none, none, none])
  const random = new Random('refractory')
  const scores = rows(500, () => Math.round(20 * random.uniform()))
  const slow = rows(500, (i) =>
    scores.subarray(Math.max(0, i - 24), i).every((x) => x < (scores[i] as number)) ? (scores[i] as number) : none,
  )
  t.same(refractory(scores, 0.05), slow)
})

t.test('a drift is found by an alarm that begins within three days of it', async (t) => {
  const nan = Number.NaN
  const drift = (...ranges: [number, number][]) => rows(240, (i) => (i < 10 ? nan : within(...ranges)(i)))
  // 24 rows a day; the drift comes at row 120.
  t.same(driftTrial(drift([50, 60], [150, 180]), 120, 24), {
    found: true,
    delayHours: 30,
    falseAlarms: 1,
    days: 110 / 24,
  })
  t.match(driftTrial(drift([110, 130]), 120, 24), { found: false, delayHours: null, falseAlarms: 1 })
  t.match(driftTrial(drift([192, 200]), 120, 24), { found: false, falseAlarms: 0 })
  t.match(driftTrial(drift([120, 121]), 120, 24), { found: true, delayHours: 0 })
  const trials = [
    { found: true, delayHours: 10, falseAlarms: 1, days: 10 },
    { found: true, delayHours: 20, falseAlarms: 0, days: 5 },
    { found: false, delayHours: null, falseAlarms: 0, days: 5 },
  ]
  t.same(driftMeasures(trials), { trials: 3, found: 2 / 3, delayMedianHours: 15, falseAlarmsPerMonth: 1.5 })
  t.equal(driftMeasures(trials.slice(2)).delayMedianHours, null)
})

t.test('paired differences come with their standard error', async (t) => {
  const { mean, standardError, better, pairs } = pairedDifference([3, 5, 4], [1, 6, 2])
  t.ok(near(mean, 1) && near(standardError, 1) && better === 2 && pairs === 3)
  t.ok(Number.isNaN(pairedDifference([1], [2]).standardError))
  t.throws(() => pairedDifference([1], []), RangeError)
})
