/** A target's past as the outlook takes it in, from the store: minutes of the last week, five minutes before that. */
import { HOST_SIGNALS } from '@portent/core'
import { HEALTH } from '../outlook/index.ts'
import type { OutlookRow } from '../outlook/target.ts'
import type { Store } from '../store/index.ts'
import type { Resource, Row } from '../types.ts'

const DAY_MS = 86_400_000
/** As far back as forecasts look; what is fast needs minutes, of a week. */
const DAYS = 13
const DAYS_OF_MINUTES = 7
const MINUTE_SECONDS = 60
const STEP_SECONDS = 300
/** Forecasts take in minutes of the last hours, and a row in five minutes before. */
const FORECAST_MINUTES_MS = 6 * 3_600_000

/** Of the signals of a host and those of `like`, and of its resources, up to its time; read a day at a time. */
export async function* outlookHistory(store: Pick<Store, 'history'>, like: Row): AsyncGenerator<OutlookRow> {
  const { target, at: until, values, resources } = like
  // A signal that is missing now may have been there.
  const names = [...new Set([...HOST_SIGNALS.map((s) => s.name), ...Object.keys(values)])]
  const mounts = resources.map((r) => r.resource).filter((name) => name.includes(':'))
  const fields = { assessment: [HEALTH, 'anomaly'] as const, signals: [...names, ...mounts] }
  const first = Math.floor((until - DAYS * DAY_MS) / DAY_MS) * DAY_MS
  for (let from = first; from < until; from += DAY_MS) {
    const seconds = from < until - DAYS_OF_MINUTES * DAY_MS ? STEP_SECONDS : MINUTE_SECONDS
    const to = Math.min(until, from + DAY_MS - 1)
    const { points } = await store.history.range(target, from, to, seconds * 1000, fields)
    for (const { at, assessment, signals } of points) {
      const end = at + seconds * 1000
      // The step that is not over yet holds rows that come one by one.
      if (end > until) continue
      const row: Record<string, number> = {}
      for (const name of names) if (signals[name] !== undefined) row[name] = signals[name]
      const past: Resource[] = []
      for (const one of resources) {
        const used = signals[one.resource] ?? signals[`${one.resource}_used`]
        if (used !== undefined) past.push({ ...one, used })
      }
      const { health, anomaly } = assessment
      const scored = health !== undefined && anomaly !== undefined
      yield {
        at: end / 1000,
        values: row,
        resources: past,
        anomaly: scored ? anomaly : null,
        health: scored ? health : null,
        forecast: end > until - FORECAST_MINUTES_MS || end % (STEP_SECONDS * 1000) === 0,
      }
    }
  }
}
