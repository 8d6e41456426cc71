/** The server over TLS with real certificates, and clients that are slow on purpose, over TLS and without. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { get, type RequestOptions } from 'node:https'
import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { loadWebConfig, type WebTls } from '../access/web-config.ts'
import { createServer, type ServerOptions } from './server.ts'
import { scriptedApi } from './testing.ts'

const fixtures = fileURLToPath(new URL('../../fixtures/access/', import.meta.url))
const file = (name: string) => readFileSync(fixtures + name, 'utf8')
const ca = file('ca.crt')
const clients = {
  none: {},
  known: { cert: file('client.crt'), key: file('client.key') },
  stranger: { cert: file('stranger.crt'), key: file('stranger.key') },
}

function tlsOf(more = '', cert = 'server'): WebTls {
  const text = `tls_server_config:\n  cert_file: ${cert}.crt\n  key_file: ${cert}.key\n${more}`
  const loaded = loadWebConfig(`${fixtures}web.yml`, (path) =>
    path.endsWith('.yml') ? text : readFileSync(path, 'utf8'),
  )
  if (!loaded.ok || loaded.config.tls === null) throw new Error(JSON.stringify(loaded))
  return loaded.config.tls
}
const asking = (type: string, more = '') =>
  tlsOf(`  client_auth_type: ${type}\n${/Verify/.test(type) ? '  client_ca_file: ca.crt\n' : ''}${more}`)

async function serve(t: Test, options: Partial<ServerOptions>, over: Parameters<typeof scriptedApi>[0] = {}) {
  const { remoteAddress: _, ...deps } = scriptedApi({ ...over }, false).deps
  const scripted = scriptedApi(over, false)
  const { createApi } = await import('./index.ts')
  const app = createApi({ ...deps, access: scripted.state.access })
  const server = await createServer(app, { host: '127.0.0.1', port: 0, ...options })
  t.teardown(() => server.stop())
  return { server, port: server.address.port, access: scripted.state.access }
}

/** Status of a GET, or why there was none. */
function ask(port: number, options: RequestOptions = {}): Promise<number | string> {
  return new Promise((resolve) => {
    const request = get(
      { host: '127.0.0.1', servername: 'localhost', port, path: '/metrics', ca, agent: false, ...options },
      (answer) => {
        answer.resume()
        answer.on('end', () => resolve(answer.statusCode ?? 0))
      },
    )
    request.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })
}

t.test('a client is let in by what the configuration asks of its certificate', async (t) => {
  const { server, port, access } = await serve(t, { tls: tlsOf() })
  t.match(server.url, /^https:/)
  t.equal(server.address.port, port)
  for (const [type, admitted] of [
    ['NoClientCert', { none: 1, known: 1, stranger: 1 }],
    ['RequestClientCert', { none: 1, known: 1, stranger: 1 }],
    ['RequireAnyClientCert', { none: 0, known: 1, stranger: 1 }],
    ['VerifyClientCertIfGiven', { none: 1, known: 1, stranger: 0 }],
    ['RequireAndVerifyClientCert', { none: 0, known: 1, stranger: 0 }],
    // Back again: what is asked for changes while the server runs.
    ['NoClientCert', { none: 1, known: 1, stranger: 1 }],
  ] as const) {
    server.setTls(asking(type))
    for (const [name, certificate] of Object.entries(clients)) {
      const answer = await ask(port, certificate)
      if (admitted[name as keyof typeof clients]) t.equal(answer, 200, `${type}, ${name}`)
      else t.match(String(answer), /ECONNRESET|EPIPE|hang up/, `${type}, ${name}: ${answer}`)
    }
  }
  server.setTls(asking('RequireAndVerifyClientCert', '  client_allowed_sans: [scraper.example]\n'))
  t.equal(await ask(port, clients.known), 200)
  server.setTls(asking('RequireAndVerifyClientCert', '  client_allowed_sans: [other.example, scraper]\n'))
  t.not(await ask(port, clients.known), 200, 'another name')

  access.settings.openReads = false
  server.setTls(asking('VerifyClientCertIfGiven'))
  access.state.certificates = true
  t.equal(await ask(port, clients.none), 401)
  t.equal(await ask(port, clients.known), 200, 'a verified certificate may read')
  t.equal(await ask(port, { ...clients.known, method: 'POST', path: '/-/reload' }), 403, 'and not more')
  server.setTls(asking('RequestClientCert'))
  t.equal(await ask(port, clients.known), 401, 'one that was not verified names nobody')
})

t.test('a certificate is renewed without a restart, and a session of before is no way around it', async (t) => {
  const { server, port } = await serve(t, { tls: tlsOf() })
  const handshake = async (session?: Buffer) => {
    const socket = connectTls({
      host: '127.0.0.1',
      servername: 'localhost',
      port,
      ca,
      ...clients.known,
      ...(session && { session }),
    })
    let ticket: Buffer | undefined
    socket.on('session', (given: Buffer) => {
      ticket = given
    })
    await once(socket, 'secureConnect')
    const { raw } = socket.getPeerCertificate()
    const reused = socket.isSessionReused()
    let answer = ''
    socket.on('data', (bytes: Buffer) => {
      answer += bytes.toString()
    })
    socket.write('GET /-/healthy HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
    await once(socket, 'close')
    return { raw: raw?.toString('base64'), session: ticket, reused, answered: /^HTTP\/1.1 200/.test(answer) }
  }
  const first = await handshake()
  t.ok((await handshake(first.session)).reused)
  server.setTls(tlsOf('', 'renewed'))
  const second = await handshake(first.session)
  t.notOk(second.reused)
  t.not(second.raw, first.raw)
  server.setTls(asking('RequireAndVerifyClientCert'))
  const known = await handshake(second.session)
  t.match(
    [known, await handshake(known.session)],
    [
      { reused: false, answered: true },
      { reused: true, answered: true },
    ],
  )
})

t.test('plain HTTP, an old version and half a handshake are ended, and the next client is answered', async (t) => {
  const { port } = await serve(t, { tls: tlsOf(), headersTimeout: 300, connectionsCheckingInterval: 50 })
  const talk = async (text: string | null) => {
    const socket = connectPlain(port, '127.0.0.1')
    socket.on('error', () => {})
    socket.resume()
    if (text !== null) socket.write(text)
    const start = performance.now()
    await once(socket, 'close')
    return performance.now() - start
  }
  t.ok((await talk('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n')) < 5000)
  t.ok((await talk(null)) < 5000, 'a client that says nothing')
  t.ok((await talk('\u0016\u0003\u0001')) < 5000, 'one that begins a handshake')
  const old = await ask(port, { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1' })
  t.match(String(old), /ERR_SSL|EPROTO|ECONNRESET/)
  t.equal(await ask(port), 200)
})

/** What came back until the other end closed. */
async function slow(socket: Socket, send: (socket: Socket) => void): Promise<{ answer: string; ms: number }> {
  let answer = ''
  socket.on('error', () => {})
  socket.setEncoding('latin1')
  socket.on('data', (text: string) => {
    answer += text
  })
  const start = performance.now()
  send(socket)
  await once(socket, 'close')
  return { answer, ms: performance.now() - start }
}

t.test('clients that are slow with headers or bodies, or never take their answer, are closed in time', async (t) => {
  const deadlines = { headersTimeout: 300, requestTimeout: 600, connectionsCheckingInterval: 50, stalledTimeout: 500 }
  const text = Buffer.alloc(64 << 20, 'x')
  const over = { metricsText: async () => ({ body: text, contentType: 'text/plain', encoding: null }) } as const
  for (const secure of [false, true]) {
    const { port, access } = await serve(t, { ...deadlines, ...(secure && { tls: tlsOf() }) }, over)
    const { header } = access.addKey('admin')
    const open = async (): Promise<Socket> => {
      const socket = secure
        ? connectTls({ host: '127.0.0.1', servername: 'localhost', port, ca })
        : connectPlain(port, '127.0.0.1')
      await once(socket, secure ? 'secureConnect' : 'connect')
      return socket
    }
    const timers: NodeJS.Timeout[] = []
    const drip = (socket: Socket, what: string) => {
      timers.push(setInterval(() => socket.write(what), 40))
    }
    const name = secure ? 'TLS' : 'plain'
    const headers = await slow(await open(), (socket) => {
      socket.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n')
      drip(socket, 'X-A: b\r\n')
    })
    t.match(headers.answer, /^HTTP\/1.1 408 [\s\S]*"code":"timeout"/, `${name}: headers`)
    t.ok(headers.ms < 3000)
    const body = await slow(await open(), (socket) => {
      socket.write(
        `PUT /api/v1/targets/host/settings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: ${header.Authorization}\r\nContent-Length: 60000\r\n\r\n{`,
      )
      drip(socket, ' ')
    })
    t.match(body.answer, /^HTTP\/1.1 4(?:08|00) /, `${name}: body`)
    t.ok(body.ms < 3000)
    const reader = await open()
    reader.on('error', () => {})
    reader.pause()
    const start = performance.now()
    reader.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n')
    // Once its buffers are full it takes nothing; that the server has given up shows when it reads again.
    await new Promise((resolve) => timers.push(setTimeout(resolve, 1500)))
    let got = 0
    reader.on('data', (chunk: Buffer) => {
      got += chunk.length
    })
    reader.resume()
    await once(reader, 'close')
    t.ok(got < text.length, `${name}: an answer that nobody took was given up after ${got} bytes`)
    t.ok(performance.now() - start < 6000)
    for (const timer of timers) clearInterval(timer)
  }
})
