/** What hono, and what our middleware (request id, security headers, negotiation, metrics), adds to answering with a text. */
import { ask, childServer } from './support/http.mjs'
import { median } from './support/measure.mjs'
import { row, us } from './support/row.mjs'

const REQUESTS = 1500
const ROUNDS = 7

export default async function framework() {
  const server = await childServer(10)
  const cpu = { own: [], framework: [], plain: [] }
  for (let round = -2; round < ROUNDS; round++) {
    for (const side of ['own', 'framework', 'plain']) {
      const before = await server.cpuSeconds()
      await ask(server[side], REQUESTS, { together: 8 })
      if (round >= 0) cpu[side].push((1e6 * ((await server.cpuSeconds()) - before)) / REQUESTS)
    }
  }
  server.stop()
  const [own, framework, plain] = [median(cpu.own), median(cpu.framework), median(cpu.plain)]
  return [
    row('hono against a plain node:http server, CPU a request', {
      measured: `${us(framework)} against ${us(plain)} for the same text of ${server.series} series`,
      value: framework / plain,
      goal: 1.25,
    }),
    row('our API against a plain node:http server, CPU a request', {
      measured: `${us(own)} against ${us(plain)}: with request id, security headers, negotiation and metrics`,
      value: own / plain,
    }),
  ]
}
