/** One series through the forecaster, as a replay does it: a forecast each 5 minutes. */
import { SignalForecaster } from '../../core/dist/forecast/index.js'
import { forecastMeasures, naiveInterval } from '../../training/dist/measures/index.js'

const DAY = 86_400
const EVERY = 300

/**
 * @param {import('./data.mjs').Series} series
 * @param {readonly string[] | undefined} models
 */
export function replay({ values, interval, start, floor, ceiling, horizons, warm }, models) {
  const forecaster = new SignalForecaster({ intervalSeconds: interval, floor, ceiling, ...(models ? { models } : {}) })
  const origins = originsOf(values, interval, warm)
  const quantiles = horizons.map(() => new Float64Array(3 * origins.length))
  const wins = horizons.map(() => ({}))
  const time = { push: 0, pushes: 0, refit: 0, refits: 0, forecast: 0, forecasts: 0 }
  let next = 0
  for (let i = 0; i < values.length; i++) {
    const began = performance.now()
    if (!Number.isNaN(values[i])) forecaster.push(start + i * interval, values[i])
    const pushed = performance.now()
    time.push += pushed - began
    time.pushes++
    if (forecaster.due) {
      forecaster.refit()
      time.refit += performance.now() - pushed
      time.refits++
    }
    if (origins[next] !== i) continue
    const asked = performance.now()
    const forecasts = forecaster.forecast(horizons)
    time.forecast += performance.now() - asked
    time.forecasts++
    horizons.forEach((_, h) => {
      const { quantiles: q, model } = forecasts?.[h] ?? {
        quantiles: new Float64Array(5).fill(values[i]),
        model: 'none',
      }
      quantiles[h].set([q[1], q[2], q[3]], 3 * next)
      wins[h][model] = (wins[h][model] ?? 0) + 1
    })
    next++
  }
  return {
    time,
    wins,
    measures: horizons.map((horizon, h) =>
      forecastMeasures(outcomes(values, origins, horizon / interval), quantiles[h]),
    ),
  }
}

/** The same for the last value with quantiles of its changes. */
export function replayNaive({ values, interval, horizons, warm }) {
  const origins = originsOf(values, interval, warm)
  return horizons.map((horizon) => {
    const steps = Math.round(horizon / interval)
    const quantiles = new Float64Array(3 * origins.length)
    origins.forEach((i, n) => {
      if (i + steps < values.length) naiveInterval(values, i, steps, interval, quantiles, 3 * n)
    })
    return forecastMeasures(outcomes(values, origins, steps), quantiles)
  })
}

/** Mean absolute distance to the median: the unit in which losses of several series are added. */
export function spreadOf(values) {
  const known = values.filter((x) => !Number.isNaN(x)).sort()
  const median = known[known.length >> 1]
  return known.reduce((sum, x) => sum + Math.abs(x - median), 0) / known.length
}

function originsOf(values, interval, warm) {
  const every = Math.max(1, Math.round(EVERY / interval))
  const first = Math.ceil((warm * DAY) / interval / every) * every
  const origins = []
  for (let i = first; i < values.length; i += every) if (!Number.isNaN(values[i])) origins.push(i)
  return origins
}

function outcomes(values, origins, steps) {
  return Float64Array.from(origins, (i) => values[i + Math.round(steps)] ?? Number.NaN)
}
