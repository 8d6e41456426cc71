import t from 'tap'
import { hostPlan, TargetOutlook } from '../outlook/index.ts'
import { openStore } from '../store/index.ts'
import { entry } from '../store/testing.ts'
import type { Row } from '../types.ts'
import { outlookHistory } from './outlook-history.ts'

const DAY = 86_400_000
const T0 = Date.UTC(2026, 2, 2)
const noise = (i: number, j: number) => (Math.abs(Math.sin(12.9898 * i + 78.233 * j) * 43758.5453) % 1) - 0.5

/** A disk with a job that fills a tenth of it every hour, and a leak of the memory in the last hours. */
function rowAt(i: number): Row {
  const at = T0 + 60_000 * i
  const leak = Math.max(0, i - 3000) / 900
  const values = {
    cpu_busy: 0.3 + 0.05 * noise(i, 1),
    memory_used: Math.min(1, 0.4 + 0.6 * leak + 0.002 * noise(i, 2)),
  }
  const used = 0.4 + 0.1 * Math.min(1, (i % 60) / 20) * Number(i % 60 < 30) + 0.001 * noise(i, 3)
  return { target: 'host', at, values, resources: [{ resource: 'filesystem:/srv', used }] }
}

const push = (outlook: TargetOutlook, { at, values, resources }: Row) =>
  outlook.push({ at: at / 1000, values, resources, anomaly: 0.5, health: 90 })

t.test('an outlook that is filled from the store says what it would have said', async (t) => {
  const store = openStore({ file: ':memory:', clock: () => T0 + 3 * DAY, rawHours: 1000 })
  t.teardown(() => store.close())
  const rows = 3600
  const live = new TargetOutlook({ intervalSeconds: 60, plan: hostPlan() })
  for (let i = 0; i < rows; i++) {
    const row = rowAt(i)
    push(live, row)
    const { assessment } = entry(row.at, row.values)
    store.history.write([{ row, assessment: { ...assessment, at: row.at, resources: row.resources } }])
  }
  while (live.refitOne());
  const filled = new TargetOutlook({ intervalSeconds: 60, plan: hostPlan() })
  const next = rowAt(rows)
  for await (const past of outlookHistory(store, next)) filled.push(past)
  while (filled.refitOne());
  for (let i = rows; i < rows + 30; i++) {
    push(live, rowAt(i))
    push(filled, rowAt(i))
  }
  const [before, after] = [live.exhaustions(), filled.exhaustions()]
  const state = (all: typeof before, resource: string) => all.find((x) => x.resource === resource)?.exhaustion
  for (const resource of ['filesystem:/srv', 'memory']) {
    t.equal(state(after, resource)?.state, state(before, resource)?.state, resource)
  }
  t.not(state(after, 'filesystem:/srv')?.state, 'growing', 'the hourly job is no news')
  const [a, b] = [state(before, 'memory'), state(after, 'memory')]
  t.equal(a?.state, 'growing')
  const now = (T0 + 60_000 * (rows + 29)) / 1000
  t.ok(Math.abs(Math.log(((b?.median ?? 0) - now) / ((a?.median ?? 0) - now))) < 0.15, 'the same time left, nearly')
  const horizons = [60, 900, 3600, 21_600]
  for (const signal of ['cpu_busy', 'memory_used', 'health']) {
    t.equal(filled.forecast(signal, horizons)?.length, 4, `${signal} is forecast at once`)
  }
  t.ok(filled.failureProgress === 1 && filled.failureTrust > 0.9 * live.failureTrust)
  const [features, others] = [live.failureFeatures(before), filled.failureFeatures(after)]
  t.ok(features && others && features.length === others.length)
})
