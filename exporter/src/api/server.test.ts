import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { createServer, type ServerOptions } from './server.ts'
import { scriptedApi } from './testing.ts'

async function serve(over: Parameters<typeof scriptedApi>[0] = {}, options: Partial<ServerOptions> = {}) {
  const { deps, app } = scriptedApi(over)
  return { deps, server: await createServer(app, { host: '127.0.0.1', port: 0, ...options }) }
}

/** Sends bytes and resolves with all that came back once the other end has closed. */
function exchange(port: number, ...chunks: string[]): Promise<{ answer: string; seconds: number }> {
  const start = performance.now()
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(port, '127.0.0.1', () => {
      for (const chunk of chunks) socket.write(chunk)
    })
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => {
      answer += text
    })
    socket.on('close', () => resolve({ answer, seconds: (performance.now() - start) / 1000 }))
    socket.on('error', reject)
  })
}

t.test('the address of the socket decides who is local', async (t) => {
  const { app } = scriptedApi()
  t.equal((await app.request('http://localhost/-/healthy')).status, 200)
  const { deps } = scriptedApi()
  const { remoteAddress: _, ...rest } = deps
  const { createApi } = await import('./index.ts')
  const server = await createServer(createApi(rest), { host: '127.0.0.1', port: 0 })
  const put = (headers: Record<string, string> = {}) =>
    fetch(`${server.url}/api/v1/targets/host/settings`, {
      method: 'PUT',
      body: '{"sensitivity": 6}',
      headers: { 'Content-Type': 'application/json', ...headers },
    })
  t.equal((await put()).status, 200)
  t.equal((await put({ Origin: 'http://evil.example' })).status, 403)
  t.equal((await put({ 'X-Forwarded-For': '127.0.0.1' })).status, 403)
  const rebound = await exchange(
    server.address.port,
    'POST /-/reload HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0\r\nConnection: close\r\n\r\n',
  )
  t.match(rebound.answer, /^HTTP\/1.1 403 /)
  t.equal((await createApi(rest).request('http://localhost/-/reload', { method: 'POST' })).status, 403, 'no socket')
  await server.stop()
})

t.test('a client that is slow with its headers is told so and closed', async (t) => {
  const { server } = await serve({}, { headersTimeout: 100, connectionsCheckingInterval: 20 })
  const { answer, seconds } = await exchange(server.address.port, 'GET /metrics HTTP/1.1\r\nHost: localhost\r\n')
  t.match(answer, /^HTTP\/1.1 408 [\s\S]*"code":"timeout"/)
  t.ok(seconds < 2)
  await server.stop()
})

t.test('what is no HTTP, a broken Host and oversized headers get the one error shape', async (t) => {
  const { server } = await serve()
  const { port } = server.address
  t.match((await exchange(port, 'hello\r\n\r\n')).answer, /^HTTP\/1.1 400 [\s\S]*"code":"malformed_request"/)
  const host = 'GET / HTTP/1.1\r\nHost: a b/c\r\nConnection: close\r\n\r\n'
  t.match((await exchange(port, host)).answer, /^HTTP\/1.1 400 [\s\S]*"code":"malformed_request"/)
  const long = `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`
  t.match((await exchange(port, long)).answer, /^HTTP\/1.1 431 [\s\S]*"code":"headers_too_large"/)
  await server.stop()
})

t.test('a giant body is refused before it is read', async (t) => {
  const { server } = await serve()
  const head = 'PUT /api/v1/targets/host/settings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
  const declared = await exchange(
    server.address.port,
    `${head}Connection: close\r\nContent-Length: 1000000000\r\n\r\n{`,
  )
  t.match(declared.answer, /^HTTP\/1.1 413 [\s\S]*"code":"too_large"/)
  const chunk = `${(16_384).toString(16)}\r\n${' '.repeat(16_384)}\r\n`
  const chunked = await exchange(
    server.address.port,
    `${head}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n`,
    ...Array.from({ length: 6 }, () => chunk),
  )
  t.match(chunked.answer, /^HTTP\/1.1 413 /)
  t.equal((await fetch(`${server.url}/-/healthy`)).status, 200)
  await server.stop()
})

t.test('a graceful stop answers what is in flight, closes idle connections and takes no new ones', async (t) => {
  let release = () => {}
  let asked = () => {}
  const arrived = new Promise<void>((resolve) => {
    asked = resolve
  })
  const { server } = await serve({
    explainForest: () =>
      new Promise((resolve) => {
        release = () => resolve(null)
        asked()
      }),
  })
  const { port } = server.address
  const idle = exchange(port, 'GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n')
  const inFlight = exchange(port, 'GET /api/v1/targets/host/explain?forest=true HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await arrived
  const stopped = server.stop()
  t.match((await idle).answer, 'Portent is Healthy.', 'the idle keep-alive connection is closed at once')
  await t.rejects(fetch(`${server.url}/-/healthy`))
  release()
  const { answer } = await inFlight
  t.match(answer, /^HTTP\/1.1 200 [\s\S]*"forest":null/)
  t.match(answer, /connection: close/i)
  await stopped
  await server.stop()
})

t.test('a request that never ends does not hold up the stop beyond its grace', async (t) => {
  let asked = () => {}
  const arrived = new Promise<void>((resolve) => {
    asked = resolve
  })
  const { server } = await serve({ explainForest: () => new Promise(() => asked()) }, { stopGrace: 50 })
  const hung = exchange(
    server.address.port,
    'GET /api/v1/targets/host/explain?forest=true HTTP/1.1\r\nHost: localhost\r\n\r\n',
  )
  await arrived
  const start = performance.now()
  await server.stop()
  t.ok(performance.now() - start < 2000)
  t.equal((await hung).answer, '')
})

t.test('an address in use is named', async (t) => {
  const { server } = await serve()
  await t.rejects(
    serve({}, { port: server.address.port }),
    new RegExp(`cannot listen on 127.0.0.1:${server.address.port}: the address is in use`),
  )
  await server.stop()
})

t.test('many scrapers at once are all answered', async (t) => {
  const { server } = await serve()
  const request = 'GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
  const answers = await Promise.all(Array.from({ length: 500 }, () => exchange(server.address.port, request)))
  t.equal(answers.filter(({ answer }) => /^HTTP\/1.1 200 [\s\S]*portent_health_ratio/.test(answer)).length, 500)
  await Promise.race([server.stop(), delay(5000, null, { ref: false })])
})
