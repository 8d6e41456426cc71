/** The rooms of a cycle, connected as the service connects them, with a clock that goes an interval further each tick. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cycle } from '../../exporter/dist/cycle.js'
import { WorkerScorer } from '../../exporter/dist/detect/scorer.js'
import { MetricsPublisher, SelfMetrics } from '../../exporter/dist/publish/index.js'
import { openStore } from '../../exporter/dist/store/index.js'
import { writeHistory } from '../../exporter/dist/wiring/history.js'
import { BUNDLE, INTERVAL_SECONDS } from './hosts.mjs'

/** A store in a folder of its own, and a publisher whose text is always due. */
export function outputs() {
  const folder = mkdtempSync(join(tmpdir(), 'portent-bench-'))
  let passed = 0
  const now = () => Date.now() + passed
  const store = openStore({ file: join(folder, 'portent.db'), ballastBytes: 0, clock: now })
  const self = new SelfMetrics()
  const publisher = new MetricsPublisher({
    version: 'bench',
    self,
    scoreIntervalSeconds: INTERVAL_SECONDS,
    monotonic: () => performance.now() + passed,
  })
  return {
    store,
    self,
    publisher,
    later() {
      passed += INTERVAL_SECONDS * 1000
    },
    close() {
      store.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export async function pipeline() {
  const out = outputs()
  const scorer = await WorkerScorer.start({ folder: BUNDLE, deadlineMs: 30_000 })
  /** ms of the last tick. */
  const spent = { store: 0 }
  const cycle = new Cycle({
    intervalSeconds: INTERVAL_SECONDS,
    scorer: () => scorer,
    sensitivity: () => 5,
    publishers: [
      async (batch) => {
        const started = performance.now()
        await writeHistory(out.store, batch)
        spent.store = performance.now() - started
      },
      (batch) =>
        out.publisher.publish(
          batch.map((x) => x.assessment),
          batch[0]?.row.at ?? 0,
        ),
    ],
    onAlert: () => {},
    onError: (_, error) => {
      throw error
    },
    onDropped: (reason) => {
      throw new Error(`a row was dropped: ${reason}`)
    },
    onNonFinite: () => {},
  })
  return {
    ...out,
    scorer,
    cycle,
    spent,
    /** @param {import('../../exporter/dist/types.js').Row[]} rows */
    async tick(rows) {
      out.later()
      await cycle.run(rows)
      await out.publisher.render()
    },
    async close() {
      await scorer.close()
      out.close()
    },
  }
}
