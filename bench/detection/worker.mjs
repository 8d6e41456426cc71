/** A process that runs the jobs it is sent, one after the other. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { ablated } from './ablation.mjs'
import { drifted } from './drift.mjs'
import { measured } from './machine.mjs'
import { nabSeries } from './nab.mjs'
import { trained } from './portent.mjs'

/** All that is asked of one machine: it is fitted once for each choice of detectors. */
async function ofMachine(job) {
  const { machine, work, reuse, parts } = job
  const fit = (folder, detectors) =>
    trained({
      data: join(machine.folder, 'train.csv'),
      interval: machine.interval,
      folder: join(work, folder),
      detectors,
      reuse,
    })
  const needsDefault = parts.machines || parts.drift
  const usual = needsDefault ? fit('default', 'default') : null
  return {
    machines: parts.machines ? await measured(job, usual) : undefined,
    drift: parts.drift ? drifted(job, usual) : undefined,
    ablation: parts.ablation ? await ablated(job, fit('all', 'all')) : undefined,
  }
}

const KINDS = { machine: ofMachine, nab: nabSeries }

process.on('message', async ({ kind, job }) => {
  try {
    mkdirSync(job.work, { recursive: true })
    process.send({ result: await KINDS[kind](job) })
  } catch (error) {
    process.send({ error: error.stack })
  }
})
