/** Jobs in processes of their own, a few at a time. */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/**
 * @param {readonly { kind: string, what: string, job: object }[]} jobs
 * @param {{ processes: number, onDone: (what: string, done: number) => void }} options
 * @returns {Promise<unknown[]>} results in the order of the jobs
 */
export async function inProcesses(jobs, { processes, onDone }) {
  const results = new Array(jobs.length)
  let [next, done] = [0, 0]
  const work = async () => {
    const child = fork(fileURLToPath(new URL('worker.mjs', import.meta.url)), { serialization: 'advanced' })
    try {
      while (next < jobs.length) {
        const n = next++
        const { kind, what, job } = jobs[n]
        results[n] = await ask(child, { kind, job }, what)
        onDone(what, ++done)
      }
    } finally {
      child.kill()
    }
  }
  await Promise.all(Array.from({ length: Math.min(processes, jobs.length) }, work))
  return results
}

function ask(child, message, what) {
  return new Promise((resolve, reject) => {
    const onExit = (code) => reject(new Error(`${what}: its process ended with ${code}`))
    child.once('exit', onExit)
    child.once('message', ({ result, error }) => {
      child.off('exit', onExit)
      if (error === undefined) resolve(result)
      else reject(new Error(`${what}: ${error}`))
    })
    child.send(message)
  })
}
