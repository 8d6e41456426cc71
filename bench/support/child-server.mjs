/**
 * A process with the API in front of the publisher, filled by simulated hosts, and a plain node:http server that answers
 * with the same text. Sends its two addresses; answers any message with its CPU seconds.
 */
import { createServer as createHttpServer } from 'node:http'
import { Hono } from 'hono'
import { createApi, createServer } from '../../exporter/dist/api/index.js'
import { hosts } from './hosts.mjs'
import { pipeline } from './pipeline.mjs'

const service = await pipeline()
const next = hosts(Number(process.argv[2]))
for (let i = 0; i < 12; i++) await service.tick(next())
if (process.argv[3] === 'ticking') setInterval(() => void service.tick(next()), 1000)

const { publisher, self, cycle } = service
const api = createApi({
  version: 'bench',
  log: { debug() {}, warn() {}, error: console.error, isLevelEnabled: () => false },
  scoreIntervalSeconds: 10,
  openReads: () => true,
  metricsText: (format, gzip) => publisher.text(format, gzip),
  observeRequest: (route, method, code, seconds) => self.httpRequest(route, method, code, seconds),
  targets: () => [...cycle.targets.values()].map(({ name, assessment }) => ({ target: name, assessment })),
  target: (name) => cycle.targets.get(name),
  now: Date.now,
})
const own = await createServer(api, { host: '127.0.0.1', port: 0 })
const { body, contentType } = await publisher.text('text', false)
const bare = new Hono().get('/metrics', () => new Response(body, { headers: { 'Content-Type': contentType } }))
const framework = await createServer(bare, { host: '127.0.0.1', port: 0 })
const plain = createHttpServer((_, response) => {
  response.writeHead(200, { 'Content-Type': contentType, 'Content-Length': body.length })
  response.end(body)
})
plain.listen(0, '127.0.0.1', () => {
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send((user + system) / 1e6)
  })
  process.send({
    own: `${own.url}/metrics`,
    framework: `${framework.url}/metrics`,
    plain: `http://127.0.0.1:${plain.address().port}/metrics`,
    series: body.toString().match(/^[^#\n]/gm).length,
  })
})
process.on('disconnect', () => process.exit())
