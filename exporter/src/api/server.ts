/** The HTTP server around the app: deadlines for slow clients, a graceful stop. */
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import type { WebTls } from '../access/index.ts'
import { ApiError, errorBody } from './errors.ts'

export interface ServerOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** ms until all headers must be here. Default 10 s. */
  readonly headersTimeout?: number
  /** ms until the whole request must be here. Default 30 s. */
  readonly requestTimeout?: number
  /** ms between looks for connections past their deadline. Default 2 s. */
  readonly connectionsCheckingInterval?: number
  /** ms that an idle connection is kept. Default 65 s: longer than the usual scrape interval of a minute. */
  readonly keepAliveTimeout?: number
  /** ms without a byte in either direction, after which a client that does not take its answer is given up. Default 2 min. */
  readonly stalledTimeout?: number
  /** Default 16,384. More are refused at once. */
  readonly maxConnections?: number
  /** ms that requests in flight have to be answered once stopped. Default 3 s. */
  readonly stopGrace?: number
  /** Absent: plain HTTP. */
  readonly tls?: WebTls
  /** For an error on the server or a socket that no request can be blamed for. */
  readonly onError?: (error: Error) => void
}

export interface RunningServer {
  readonly address: AddressInfo
  readonly url: string
  /** Other certificates, or another demand on clients, for connections from now on; no effect on plain HTTP. */
  setTls(tls: WebTls): void
  /** Stops accepting, lets what is in flight be answered, then closes everything. The second call waits for the first. */
  stop(): Promise<void>
}

interface App {
  fetch(request: Request, env: object): Response | Promise<Response>
}

export async function createServer(app: App, options: ServerOptions): Promise<RunningServer> {
  const listener = getRequestListener((request, env) => app.fetch(request, env), { errorHandler: refuse })
  const inFlight = new Set<ServerResponse>()
  let stopping: Promise<void> | null = null

  const deadlines = {
    headersTimeout: options.headersTimeout ?? 10_000,
    requestTimeout: options.requestTimeout ?? 30_000,
    connectionsCheckingInterval: options.connectionsCheckingInterval ?? 2_000,
    keepAliveTimeout: options.keepAliveTimeout ?? 65_000,
    maxHeaderSize: 16_384,
  }
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    inFlight.add(response)
    response.once('close', () => inFlight.delete(response))
    if (stopping !== null) response.setHeader('Connection', 'close')
    void listener(request, response)
  }
  // Loaded only where it is used: TLS takes a few megabytes.
  const secured =
    options.tls === undefined ? null : (await import('./tls.ts')).createTlsServer(options.tls, deadlines, answer)
  const server = secured?.server ?? createHttpServer(deadlines, answer)
  server.setTimeout(options.stalledTimeout ?? 120_000)
  server.maxConnections = options.maxConnections ?? 16_384
  server.on('clientError', answerClientError)
  await listen(server, options)
  server.on('error', (error) => options.onError?.(error))

  const address = server.address() as AddressInfo
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return {
    address,
    url: `${secured === null ? 'http' : 'https'}://${host}:${address.port}`,
    setTls: (tls) => secured?.setTls(tls),
    stop() {
      stopping ??= stop(server, inFlight, options.stopGrace ?? 3_000)
      return stopping
    },
  }
}

function listen(server: Server, { host, port }: ServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'the address is in use' : error.message
      reject(new Error(`cannot listen on ${host}:${port}: ${why}`, { cause: error }))
    }
    server.once('error', failed)
    // As many as the kernel's own limit lets wait to be accepted: scrapers start together.
    server.listen({ host, port, backlog: 4096 }, () => {
      server.off('error', failed)
      resolve()
    })
  })
}

async function stop(server: Server, inFlight: ReadonlySet<ServerResponse>, grace: number): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve())
  })
  for (const response of inFlight) if (!response.headersSent) response.setHeader('Connection', 'close')
  server.closeIdleConnections()
  const timer = setTimeout(() => server.closeAllConnections(), grace)
  await closed
  clearTimeout(timer)
}

const refusal = (status: 400 | 408 | 431, code: string, message: string): string =>
  JSON.stringify(errorBody(new ApiError(status, code, message)))

/** A request that could not even be read (a Host that is none, a broken URL). */
function refuse(): Response {
  return new Response(refusal(400, 'malformed_request', 'the Host header or the URL of the request is malformed'), {
    status: 400,
    headers: { 'Content-Type': 'application/json' },
  })
}

/** What is no HTTP, or came too slowly, gets the one error shape too, and the connection ends. */
function answerClientError(error: NodeJS.ErrnoException, socket: Socket | import('node:stream').Duplex): void {
  // A broken handshake cannot be answered.
  if (error.code === 'ECONNRESET' || !socket.writable || /^ERR_(SSL|TLS)_/.test(error.code ?? '')) {
    socket.destroy()
    return
  }
  const [line, body] =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? ['408 Request Timeout', refusal(408, 'timeout', 'the request took too long to arrive')]
      : error.code === 'HPE_HEADER_OVERFLOW'
        ? ['431 Request Header Fields Too Large', refusal(431, 'headers_too_large', 'the headers are too large')]
        : ['400 Bad Request', refusal(400, 'malformed_request', 'the request is not HTTP')]
  const head = `HTTP/1.1 ${line}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}`
  socket.end(`${head}\r\nConnection: close\r\n\r\n${body}`, () => socket.destroy())
}
