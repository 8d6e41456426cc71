import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Agent, get } from 'node:http'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'

const agent = new Agent({ keepAlive: true, maxSockets: 64 })

/** @returns {Promise<{ status: number, bytes: number }>} */
export function fetched(url, headers = {}) {
  return new Promise((resolve, reject) => {
    get(url, { agent, headers }, (answer) => {
      let bytes = 0
      answer.on('data', (chunk) => {
        bytes += chunk.length
      })
      answer.on('end', () => resolve({ status: answer.statusCode, bytes }))
      answer.on('error', reject)
    }).on('error', reject)
  })
}

/** Asks `n` times, `together` at a time. @returns {Promise<number[]>} ms of each */
export async function ask(url, n, { together = 1, headers = {} } = {}) {
  const took = []
  const client = async () => {
    while (n-- > 0) {
      const started = performance.now()
      const { status } = await fetched(url, headers)
      if (status !== 200) throw new Error(`${url} answers ${status}`)
      took.push(performance.now() - started)
    }
  }
  await Promise.all(Array.from({ length: together }, client))
  return took
}

export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

/** Starts child-server.mjs with `targets` hosts. */
export async function childServer(targets, ...more) {
  const child = fork(fileURLToPath(new URL('./child-server.mjs', import.meta.url)), [String(targets), ...more])
  const [addresses] = await once(child, 'message')
  return {
    ...addresses,
    pid: child.pid,
    async cpuSeconds() {
      child.send('cpu')
      const [seconds] = await once(child, 'message')
      return seconds
    },
    stop: () => child.kill(),
  }
}
