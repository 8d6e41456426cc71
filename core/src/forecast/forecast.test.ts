import t from 'tap'
import { SignalForecaster } from './index.ts'
import { SlidingQuantiles } from './quantiles.ts'
import { robustRegression } from './robust.ts'

const START = 1_772_478_000
const DAY = 86_400
const HORIZONS = [60, 300, 900, 3600, 21_600, 86_400]

/** Uniform in 0-1, the same for the same seed. */
function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let x = Math.imul(state ^ (state >>> 15), state | 1)
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32
  }
}

function normal(uniform: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())
}

interface Options {
  readonly interval?: number
  readonly floor?: number
  readonly ceiling?: number
  readonly models?: readonly string[]
}

function forecasterOf({ interval = 60, ...rest }: Options = {}): SignalForecaster {
  return new SignalForecaster({ intervalSeconds: interval, ...rest })
}

/** Pushes rows and refits when due, as a service does. */
function feed(forecaster: SignalForecaster, rows: readonly number[], interval = 60, from = START): void {
  rows.forEach((value, i) => {
    forecaster.push(from + i * interval, value)
    if (forecaster.due) forecaster.refit()
  })
}

/** Pinball loss at .1 .5 .9 of forecasts each half an hour after two days, and the share of rows in the 80 % interval. */
function judge(rows: readonly number[], horizon: number, options: Options = {}): { loss: number; coverage: number } {
  const { interval = 60 } = options
  const forecaster = forecasterOf(options)
  const steps = horizon / interval
  let [loss, inside, n] = [0, 0, 0]
  rows.forEach((value, i) => {
    forecaster.push(START + i * interval, value)
    if (forecaster.due) forecaster.refit()
    if ((i * interval) % 1800 !== 0 || i * interval < 2 * DAY || i + steps >= rows.length) return
    const quantiles = forecaster.forecast([horizon])?.[0]?.quantiles as Float64Array
    const y = rows[i + steps] as number
    for (const [q, level] of [
      [1, 0.1],
      [2, 0.5],
      [3, 0.9],
    ] as const) {
      const error = y - (quantiles[q] as number)
      loss += Math.max(level * error, (level - 1) * error)
    }
    inside += Number(y >= (quantiles[1] as number) && y <= (quantiles[3] as number))
    n++
  })
  return { loss: loss / n, coverage: inside / n }
}

const daily = (i: number, interval = 60) => Math.sin((2 * Math.PI * i * interval) / DAY)

t.test('each model wins where it should', async (t) => {
  const uniform = generator(1)
  const rows = (n: number, of: (i: number) => number) => Array.from({ length: n }, (_, i) => of(i))
  let walk = 0
  let speed = 0
  const inert = () => {
    speed = 0.8 * speed + normal(uniform)
    walk += speed
    return walk
  }
  const cases: [model: string, interval: number, horizon: number, rows: number[]][] = [
    ['ses', 60, 3600, rows(4 * 1440, () => normal(uniform))],
    ['holt', 300, 3600, rows(8 * 288, (i) => 40 * Math.abs(((i / 1000) % 2) - 1) + 0.02 * normal(uniform))],
    ['autoregression', 300, 300, rows(5 * 288, inert)],
    ['profile', 300, 10_800, rows(8 * 288, (i) => Number(i % 288 < 40) * 5 + 0.3 * normal(uniform))],
    ['seasonal_trend', 300, 21_600, rows(8 * 288, (i) => 2 * daily(i, 300) + i / 300 + normal(uniform))],
  ]
  for (const [model, interval, horizon, series] of cases) {
    const naive = judge(series, horizon, { interval, models: [] })
    const alone = judge(series, horizon, { interval, models: [model] })
    const all = judge(series, horizon, { interval })
    t.ok(alone.loss < 0.9 * naive.loss, `${model}: ${alone.loss} against ${naive.loss} of naive`)
    t.ok(all.loss < 1.15 * alone.loss, `all together: ${all.loss} against ${alone.loss} of ${model}`)
    t.ok(all.coverage > 0.68 && all.coverage < 0.92, `80 % intervals hold ${all.coverage}`)
  }
})

t.test('nothing beats the last value of a random walk, and little is lost', async (t) => {
  const uniform = generator(2)
  let x = 0
  const rows = Array.from({ length: 6 * 288 }, () => {
    x += normal(uniform)
    return x
  })
  const naive = judge(rows, 3600, { interval: 300, models: [] })
  t.ok(judge(rows, 3600, { interval: 300 }).loss < 1.05 * naive.loss)
})

t.test('cutting the future off changes nothing, however often a forecast is asked for', async (t) => {
  for (const interval of [15, 60, 300]) {
    const uniform = generator(interval)
    const rows = Array.from({ length: (2.5 * DAY) / interval }, (_, i) => daily(i, interval) + 0.1 * normal(uniform))
    const cut = Math.round(rows.length * 0.8)
    const whole = forecasterOf({ interval })
    let then: Float64Array[] = []
    rows.forEach((value, i) => {
      whole.push(START + i * interval, value)
      if (whole.due) whole.refit()
      if (i % 7 === 0) whole.forecast([HORIZONS[i % HORIZONS.length] as number])
      if (i === cut - 1) then = (whole.forecast(HORIZONS) ?? []).map(({ quantiles }) => quantiles.slice())
    })
    const short = forecasterOf({ interval })
    feed(short, rows.slice(0, cut), interval)
    t.equal(then.length, HORIZONS.length)
    t.strictSame(
      (short.forecast(HORIZONS) ?? []).map(({ quantiles }) => quantiles),
      then,
      `rows of ${interval} s`,
    )
  }
})

t.test('quantiles ascend within the bounds at any horizon', async (t) => {
  const uniform = generator(3)
  const forecaster = forecasterOf({ floor: 0, ceiling: 1 })
  const rows = Array.from({ length: 3 * 1440 }, (_, i) =>
    Math.min(1, Math.max(0, 0.9 + 0.2 * daily(i) + 0.1 * normal(uniform))),
  )
  feed(forecaster, rows)
  const horizons = Array.from({ length: 96 }, (_, i) => 60 + i * 900)
  const forecasts = forecaster.forecast(horizons) ?? []
  t.strictSame(
    forecasts.map(({ seconds }) => seconds),
    horizons,
  )
  for (const { seconds, quantiles, model } of forecasts) {
    const sane = quantiles.every((q, i) => q >= 0 && q <= 1 && q >= (quantiles[i - 1] ?? 0))
    if (!sane || quantiles.length !== 5 || model === '') t.fail(`${seconds} s: ${quantiles.join(' ')}`)
  }
  const [beyond, last] = forecaster.forecast([7 * DAY, DAY]) ?? []
  t.strictSame(beyond?.quantiles, last?.quantiles, 'no more than 24 hours')
})

t.test('short, constant and broken input makes no bold forecast', async (t) => {
  t.throws(() => forecasterOf({ interval: 0 }), RangeError)
  const none = forecasterOf()
  none.refit()
  t.equal(none.due, false)
  t.equal(none.forecast(HORIZONS), null, 'nothing')
  none.push(START, Number.NaN)
  none.push(Number.NaN, 1)
  none.push(-5, 1)
  t.equal(none.forecast(HORIZONS), null, 'all missing')
  feed(none, [1, 2])
  none.refit()
  t.equal(none.forecast(HORIZONS), null, 'two points')

  const constant = forecasterOf()
  feed(constant, new Array(2880).fill(7))
  for (const { quantiles } of constant.forecast(HORIZONS) ?? []) t.strictSame([...quantiles], [7, 7, 7, 7, 7])

  const uniform = generator(4)
  const rows = Array.from({ length: 2880 }, (_, i) => 5 + daily(i) + 0.1 * normal(uniform))
  const plain = forecasterOf()
  feed(plain, rows)
  const disturbed = forecasterOf()
  rows.forEach((value, i) => {
    disturbed.push(START + i * 60, value)
    if (disturbed.due) disturbed.refit()
    disturbed.push(START + i * 60, 1e9)
    disturbed.push(START + i * 60 - 600, -1e9)
    disturbed.push(START + i * 60 + 1, Number.POSITIVE_INFINITY)
  })
  t.strictSame(disturbed.forecast(HORIZONS), plain.forecast(HORIZONS), 'rows from the past are ignored')
})

t.test('gaps, a shift and a long absence leave a forecast near the newest row', async (t) => {
  for (const gap of [600, 6 * 3600, 3 * DAY, 40 * DAY]) {
    const uniform = generator(gap)
    const row = (level: number) => (_: unknown, i: number) => level + 0.2 * daily(i) + 0.05 * normal(uniform)
    const forecaster = forecasterOf()
    feed(forecaster, Array.from({ length: 2880 }, row(5)))
    feed(forecaster, Array.from({ length: 720 }, row(8)), 60, START + 2 * DAY + gap)
    t.ok(forecaster.forecast([60]))
    for (const { quantiles, seconds } of forecaster.forecast(HORIZONS) ?? []) {
      const middle = quantiles[2] as number
      if (!(middle > 4 && middle < 10) || ![...quantiles].every((q) => q > 1 && q < 15))
        t.fail(`${gap} s, ${seconds} s ahead: ${quantiles.join(' ')}`)
    }
  }
  const sparse = forecasterOf({ interval: 15 })
  const uniform = generator(5)
  const rows = Array.from({ length: 5760 }, () => (uniform() < 0.3 ? Number.NaN : normal(uniform)))
  feed(sparse, rows, 15)
  t.ok(sparse.forecast([60]))
  for (const { quantiles } of sparse.forecast(HORIZONS) ?? []) {
    t.ok((quantiles[1] as number) > -6 && (quantiles[3] as number) < 6)
  }
})

t.test('a large offset and a large unit do not matter', async (t) => {
  const uniform = generator(6)
  const rows = Array.from({ length: 3 * 1440 }, (_, i) => daily(i) + 0.2 * normal(uniform))
  const small = forecasterOf()
  feed(small, rows)
  const large = forecasterOf()
  feed(
    large,
    rows.map((x) => 8e11 + 1e6 * x),
  )
  const expected = small.forecast([3600])?.[0]?.quantiles as Float64Array
  const got = large.forecast([3600])?.[0]?.quantiles as Float64Array
  for (const [i, q] of expected.entries()) t.ok(Math.abs(((got[i] as number) - 8e11) / 1e6 - q) < 0.02)
})

t.test('sliding quantiles are those of the newest values', async (t) => {
  const uniform = generator(7)
  const sliding = new SlidingQuantiles(9)
  t.ok(Number.isNaN(sliding.at(0.5)))
  const values = Array.from({ length: 300 }, () => Math.fround(Math.round(uniform() * 20)))
  for (const value of values) sliding.push(value)
  const newest = values.slice(-9).sort((a, b) => a - b)
  t.strictSame(
    Array.from({ length: 9 }, (_, i) => sliding.at((i + 1) / 10)),
    newest,
  )
  t.throws(() => new SlidingQuantiles(257), RangeError)
})

t.test('robust regression ignores what is far off', async (t) => {
  const uniform = generator(8)
  const n = 300
  const x = new Float64Array(2 * n)
  const y = Float64Array.from({ length: n }, (_, i) => {
    x[2 * i] = 1
    x[2 * i + 1] = normal(uniform)
    return i % 10 === 0 ? 50 : 3 + 2 * (x[2 * i + 1] as number) + 0.01 * normal(uniform)
  })
  const coefficients = robustRegression(x, y, new Float64Array(n).fill(1), new Float64Array(2), 40)
  t.ok(
    Math.abs((coefficients[0] as number) - 3) < 0.2 && Math.abs((coefficients[1] as number) - 2) < 0.2,
    `${coefficients}`,
  )
  t.strictSame(robustRegression(x, new Float64Array(n), new Float64Array(n), new Float64Array(2)), new Float64Array(2))
})
