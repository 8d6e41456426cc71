/** A target's past as the outlook takes it in: means of five minutes from the store. */
import { HEALTH } from '../outlook/index.ts'
import type { OutlookRow } from '../outlook/target.ts'
import type { Store } from '../store/index.ts'
import type { Resource, Row } from '../types.ts'

const STEP_SECONDS = 300
/** As far back as forecasts look. */
const DAYS = 14

/** Of the signals and resources of `like`, up to its time. */
export async function* outlookHistory(store: Pick<Store, 'history'>, like: Row): AsyncGenerator<OutlookRow> {
  const { target, at: until, values, resources } = like
  const from = until - DAYS * 86_400_000
  const names = Object.keys(values)
  const mounts = resources.map((r) => r.resource)
  const { points } = await store.history.range(target, from, until, STEP_SECONDS * 1000, {
    assessment: [HEALTH, 'anomaly'],
    signals: [...names, ...mounts.filter((name) => name.includes(':'))],
  })
  for (const { at, assessment, signals } of points) {
    // The step that is not over yet holds rows that come one by one.
    if (at + STEP_SECONDS * 1000 > until) continue
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
      at: at / 1000 + STEP_SECONDS,
      values: row,
      resources: past,
      anomaly: scored ? anomaly : null,
      health: scored ? health : null,
    }
  }
}
