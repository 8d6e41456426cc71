/** What hono and our middleware (request id, security headers, metrics) add to answering with a text from memory. */
import { ask, childServer } from './support/http.mjs'
import { median } from './support/measure.mjs'
import { row, us } from './support/row.mjs'

const REQUESTS = 1500
const ROUNDS = 7

export default async function framework() {
  const server = await childServer(10)
  const cpu = { own: [], plain: [] }
  for (let round = -2; round < ROUNDS; round++) {
    for (const side of ['own', 'plain']) {
      const before = await server.cpuSeconds()
      await ask(server[side], REQUESTS, { together: 8 })
      if (round >= 0) cpu[side].push((1e6 * ((await server.cpuSeconds()) - before)) / REQUESTS)
    }
  }
  server.stop()
  const [own, plain] = [median(cpu.own), median(cpu.plain)]
  return [
    row('our API against a plain node:http server, CPU a request', {
      measured: `${us(own)} against ${us(plain)} for the same text of ${server.series} series`,
      value: own / plain,
      goal: 1.25,
    }),
  ]
}
