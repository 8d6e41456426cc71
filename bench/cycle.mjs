/** What connecting the rooms costs, and the store's share of a cycle. */
import { emptyInputs, TargetState } from '../core/dist/index.js'
import { assess } from '../exporter/dist/assess/assess.js'
import { readBundle } from '../exporter/dist/bundle/files.js'
import { OnnxModel } from '../exporter/dist/detect/model.js'
import { primaryShap } from '../exporter/dist/explain/primary.js'
import { BUNDLE, hosts, INTERVAL_SECONDS } from './support/hosts.mjs'
import { inTurns, median } from './support/measure.mjs'
import { outputs, pipeline } from './support/pipeline.mjs'
import { ms, percent, row, unmet } from './support/row.mjs'

/** Fills the window of the failure model (an hour), and warms the code. */
const WARM = 400
const ROUNDS = 400

/** The parts of a cycle of one host, each to be called on its own, in this order. */
async function parts() {
  const model = await OnnxModel.load(await readBundle(BUNDLE))
  const { manifest } = model
  const out = outputs()
  const next = hosts(1)
  const state = new TargetState(manifest, { intervalSeconds: INTERVAL_SECONDS, sensitivity: 5 })
  let host, inputs, scored, published
  let outcome = null
  let probability = null
  return {
    async window() {
      host = next()[0]
      out.later()
      state.push(host.monotonic, host.values)
      inputs = emptyInputs(manifest, 1)
      state.writeInputs(inputs, 0)
    },
    async models() {
      scored = await model.score(inputs)
      const history = outcome?.failureFeatures
      probability = history ? (await model.failure(Float64Array.from(history), 1))[0] : null
    },
    assess() {
      outcome = state.finish(scored, 0)
      const shap = primaryShap(manifest, scored.contributions, 0, (j) => state.isPresent(j))
      const { assessment } = assess({
        row: host,
        state,
        outcome,
        manifest,
        shap,
        features: scored.features,
        failureProbability: probability,
        intervalSeconds: INTERVAL_SECONDS,
        sensitivity: 5,
      })
      published = { row: host, assessment }
    },
    store: () => out.store.history.write([published]),
    async render() {
      out.publisher.publish([published.assessment], host.at)
      await out.publisher.render()
    },
    forest: () => model.explainForest(scored.features),
    async close() {
      await model.release()
      out.close()
    },
  }
}

export default async function cycle() {
  const whole = await pipeline()
  const next = hosts(1)
  const stored = []
  let features = null
  const { close, ...alone } = await parts()
  const times = await inTurns(
    {
      async cycle() {
        await whole.tick(next())
        features = whole.cycle.targets.get('host-0').features
        stored.push(whole.spent.store)
      },
      explain: () => whole.scorer.explainForest(features),
      ...alone,
    },
    { rounds: ROUNDS, warm: WARM },
  )
  await close()
  const sum = times.window + times.models + times.assess + times.store + times.render
  const withForest = { cycle: times.cycle + times.explain, parts: sum + times.forest }
  const storeShare = median(stored.slice(WARM)) / times.cycle
  const each = Object.keys(alone).map((name) => `${name} ${ms(times[name])}`)

  const rows = [
    row('a cycle of one host against the sum of its parts', {
      measured: `${ms(times.cycle)} against ${ms(sum)} (${each.slice(0, -1).join(', ')})`,
      value: times.cycle / sum,
      goal: 1.25,
    }),
    row('the same with one TreeSHAP', {
      measured: `${ms(withForest.cycle)} against ${ms(withForest.parts)} (${each.at(-1)})`,
      value: withForest.cycle / withForest.parts,
      goal: 1.25,
    }),
    row('SQLite, share of a cycle of one host', {
      measured: `${ms(storeShare * times.cycle)} of ${ms(times.cycle)}`,
      value: storeShare,
      goal: 0.05,
      format: percent,
    }),
    ...(await fleetStore(whole)),
  ]
  await whole.close()
  return rows
}

/** The same of many hosts, and rows a second one by one and in batches. */
async function fleetStore(whole) {
  const next = hosts(1000, 2)
  const shares = []
  for (let i = 0; i < 8; i++) {
    const rows = next().map((r) => ({ ...r, target: `many-${r.target}`, monotonic: r.monotonic + WARM * 100_000 }))
    const started = performance.now()
    await whole.tick(rows)
    if (i >= 3) shares.push(whole.spent.store / (performance.now() - started))
  }
  const out = outputs()
  const assessments = [...whole.cycle.targets.values()].map((x) => x.assessment).slice(-1000)
  let at = Date.now()
  const batch = () => {
    at += 1000
    return assessments.map((a) => ({
      row: { target: a.target, at, values: a.values, resources: a.resources },
      assessment: a,
    }))
  }
  const times = await inTurns(
    {
      batched: () => out.store.history.write(batch()),
      single() {
        for (const entry of batch().slice(0, 100)) out.store.history.write([entry])
      },
    },
    { rounds: 12 },
  )
  out.close()
  const share = median(shares)
  return [
    row('SQLite, share of a cycle of 1,000 hosts', {
      measured: `batches of 250 rows`,
      value: share,
      goal: 0.05,
      format: percent,
    }),
    unmet('SQLite, rows a second (a row with its assessment)', {
      measured: `${Math.round(1000 / (times.batched / 1000))} in batches, ${Math.round(1000 / (times.single / 100))} one by one`,
      why: `${(times.single / 100 / (times.batched / 1000)).toFixed(1)}x by batching`,
    }),
  ]
}
