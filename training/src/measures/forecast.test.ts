import t from 'tap'
import { forecastMeasures, naiveInterval, pinballLoss } from './forecast.ts'

t.test('pinball loss weighs a value above by the level, one below by the rest', async (t) => {
  t.equal(pinballLoss(3, 1, 0.9), 1.8)
  t.ok(Math.abs(pinballLoss(1, 3, 0.9) - 0.2) < 1e-12)
  t.equal(pinballLoss(5, 5, 0.1), 0)
})

t.test('measures leave out what is unknown', async (t) => {
  const values = Float64Array.of(1, Number.NaN, 5, -1)
  const quantiles = Float64Array.of(0, 1, 2, 0, 0, 0, 0, 1, 2, 0, 1, 2)
  const { pinball, coverage, below, above, forecasts } = forecastMeasures(values, quantiles)
  t.strictSame({ forecasts, below, above }, { forecasts: 3, below: 1 / 3, above: 1 / 3 })
  t.ok(Math.abs(coverage - 1 / 3) < 1e-12)
  // 1: .1 + 0 + .1; 5: .5 + 2 + 2.7; -1: .9 + 1 + .3
  t.ok(Math.abs(pinball - (0.2 + 5.2 + 2.2) / 9) < 1e-12)
  t.throws(() => forecastMeasures(values, new Float64Array(3)), RangeError)
})

t.test('the naive interval is the last value and quantiles of the changes so far', async (t) => {
  const out = new Float64Array(3)
  const rise = Float64Array.from({ length: 2000 }, (_, i) => (i % 2 === 0 ? i : i + 10))
  naiveInterval(rise, 1000, 12, 300, out)
  t.strictSame([...out], [1012, 1012, 1012])
  const cut = rise.slice(0, 1001)
  const same = new Float64Array(3)
  naiveInterval(cut, 1000, 12, 300, same)
  t.strictSame(same, out, 'the future does not matter')
  naiveInterval(rise, 5, 12, 300, out)
  t.strictSame([...out], [15, 15, 15], 'no width without a past')
})
