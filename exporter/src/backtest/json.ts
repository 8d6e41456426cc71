/** The backtest in numbers, for another program. Times are Unix seconds, an instant that is not foreseen is null. */
import type { Backtest, ResourceResult } from './backtest.ts'
import type { FailurePredictions, Predictions } from './own.ts'

export function jsonOf(result: Backtest): string {
  const { resources, anomalies, failure, rules, ...rest } = result
  return `${JSON.stringify({
    ...rest,
    rules: rules.map(({ rule, ...total }) => ({ ...rule, ...total })),
    resources: resources.map(resourceJson),
    anomalies: anomalies && {
      days: anomalies.days,
      minutes: anomalies.minutes,
      unscored: anomalies.unscored,
      alarms: anomalies.alarms,
    },
    failure: failure && { firings: failure.firings, predictions: failureRows(failure) },
  })}\n`
}

const finite = (x: number): number | null => (Number.isFinite(x) ? Math.round(x) : null)

function resourceJson({ resource, title, kind, levels, reached, predictions, rules }: ResourceResult) {
  const known = levels.used.filter(Number.isFinite)
  return {
    resource,
    title,
    kind,
    level: { first: known[0] ?? null, last: known.at(-1) ?? null, largest: known.reduce((a, b) => Math.max(a, b), 0) },
    reached,
    rules: rules.map(({ rule, judged }) => ({ id: rule.id, ...judged })),
    predictions: predictions && foreseen(predictions),
  }
}

/** Only blocks in which anything is foreseen. */
function foreseen({ at, lower, median, upper, state, sentence }: Predictions) {
  return at.flatMap((now, i) => {
    if (!Number.isFinite(lower[i])) return []
    const bounds = [lower, median, upper].map((list) => finite(list[i] as number))
    return [{ at: now, lower: bounds[0], median: bounds[1], upper: bounds[2], state: state[i], sentence: sentence[i] }]
  })
}

function failureRows({ at, horizons, probabilities, confidence }: FailurePredictions) {
  return { horizons, rows: at.map((now, i) => [now, ...(probabilities[i] as number[]), confidence[i]]) }
}
