import t from 'tap'
import { type CapacityTruth, outcomeOfSeries, summaryOfSeries } from '../../measures/exhaustion.ts'
import { capacitySeries, FAILING_FAMILIES, HEALTHY_FAMILIES } from './index.ts'

const DAY = 86_400

t.test('every family gives the same series for the same seed, within its capacity', async (t) => {
  for (const family of [...HEALTHY_FAMILIES, ...FAILING_FAMILIES]) {
    const [one, two, other] = ['a', 'a', 'b'].map((seed) => capacitySeries(seed, family, { intervalSeconds: 300 })) as [
      ReturnType<typeof capacitySeries>,
      ReturnType<typeof capacitySeries>,
      ReturnType<typeof capacitySeries>,
    ]
    t.strictSame(one.truth, two.truth, family)
    const bytes = (x: Float64Array) => Buffer.from(x.buffer, x.byteOffset, x.byteLength)
    t.ok(bytes(one.values).equals(bytes(two.values)) && bytes(one.at).equals(bytes(two.at)), family)
    t.notOk(bytes(one.values).equals(bytes(other.values)), family)
    t.ok(one.values.every((x) => x >= 0 && x <= 1))
    t.ok(one.at.every((x, i) => i === 0 || x > (one.at[i - 1] as number)))
  }
})

t.test('the truth says when a series runs out', async (t) => {
  for (const family of FAILING_FAMILIES) {
    const { truth, at, values } = capacitySeries('truth', family, { intervalSeconds: 300 })
    t.notOk(truth.healthy)
    const { onset, exhaustion, cure } = truth
    if (exhaustion !== null) {
      t.ok(onset !== null && onset < exhaustion && truth.end >= exhaustion)
      t.ok(values[at.findIndex((x) => x > exhaustion)] === 1, family)
    } else t.ok(cure !== null || family === 'pausing' || family === 'leak_with_noise', family)
  }
  for (const family of HEALTHY_FAMILIES) {
    const { truth, values } = capacitySeries('truth', family, { intervalSeconds: 300 })
    t.ok(truth.healthy && truth.exhaustion === null && values.every((x) => x < 1), family)
  }
})

const TRUTH: CapacityTruth = {
  id: 'x',
  family: 'line',
  healthy: false,
  ambiguous: false,
  start: 0,
  end: 5 * DAY,
  onset: 4 * DAY,
  exhaustion: 4.5 * DAY,
  cure: null,
  pre: null,
}

/** Asked every five minutes. */
function told(instant: (at: number) => readonly [number, number, number]) {
  const at = Array.from({ length: (5 * DAY) / 300 }, (_, k) => k * 300)
  const rows = at.map(instant)
  return { at, lower: rows.map((x) => x[0]), median: rows.map((x) => x[1]), upper: rows.map((x) => x[2]) }
}

t.test('leads, coverage and false minutes are counted as they are meant', async (t) => {
  const none = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY] as const
  const from = 4.1 * DAY
  const outcome = outcomeOfSeries(
    TRUTH,
    told((at) =>
      at >= from
        ? [TRUTH.exhaustion as number, 4.6 * DAY, 4.7 * DAY]
        : at >= 3.5 * DAY && at < 3.5 * DAY + 1800
          ? [at + 60, at + 120, at + 180]
          : none,
    ),
  )
  const rule = outcome.rules.lower
  t.equal(rule?.available, 12)
  // A prediction of the five minutes' grid, then a quarter of an hour.
  t.ok(Math.abs((rule?.lead ?? 0) - (0.4 * 24 - 0.25)) < 0.1)
  t.ok(rule?.half && rule.halfSustained)
  // 30 minutes of predictions, less the quarter of an hour.
  t.equal(rule?.falseMinutes, 16)
  t.equal(outcome.coverage['<30m']?.covered, 1)
  t.ok(Math.abs((outcome.errors[0] ?? 0) - 0.1 / 0.375) < 1e-3)
  t.ok(Math.abs((outcome.errors[1] ?? 0) - 0.1 / 0.25) < 1e-6)

  const cured = outcomeOfSeries(
    { ...TRUTH, exhaustion: null, cure: 4.2 * DAY },
    told((at) => (at >= 4.1 * DAY && at < 4.2 * DAY + 600 ? [at + 60, at + 120, at + 180] : none)),
  )
  t.equal(cured.rules.lower?.beforeCure, true)
  t.equal(cured.rules.lower?.withdrawal, 12)
  const healthy = outcomeOfSeries(
    { ...TRUTH, healthy: true, onset: null, exhaustion: null },
    told(() => none),
  )
  const summary = summaryOfSeries([outcome, cured, healthy])
  t.equal(summary.rules.lower?.falseHealthy, 0)
  t.equal(summary.rules.lower?.half, 1)
  t.equal(summary.rules.lower?.withdrawalMax, 12)
  const alarms = told(() => none).at
  const ready = outcomeOfSeries(
    { ...TRUTH, healthy: true, onset: null, exhaustion: null },
    { at: alarms, alert: alarms.map(() => 1) },
  )
  t.ok((ready.rules.alert?.falseMinutes ?? 0) > 2 * 1440 - 15)
})
