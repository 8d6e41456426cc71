/** The HTTP server over TLS: which clients are let in, and certificates that change while it runs. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { TLSSocket } from 'node:tls'
import type { WebTls } from '../access/index.ts'

export interface TlsServer {
  readonly server: Server
  setTls(tls: WebTls): void
}

export function createTlsServer(
  initial: WebTls,
  deadlines: { readonly headersTimeout: number },
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): TlsServer {
  let tls = initial
  const server = createServer(
    {
      ...deadlines,
      ...tls.context,
      handshakeTimeout: deadlines.headersTimeout,
      ALPNProtocols: ['http/1.1'],
      requestCert: tls.clientCertificates !== 'none',
      // Judged below: what is asked for can change while the server runs.
      rejectUnauthorized: false,
    },
    answer,
  )
  // Before the listener that reads requests.
  server.prependListener('secureConnection', (socket: TLSSocket) => {
    if (!admits(tls, socket)) socket.destroy()
  })
  return {
    server,
    setTls(next) {
      server.setSecureContext(next.context)
      // Read at each connection. Were it not, no client would show a certificate, and none would be admitted.
      Object.assign(server, { requestCert: next.clientCertificates !== 'none' })
      tls = next
      // They were judged by what was asked before.
      server.closeIdleConnections()
    },
  }
}

function admits({ clientCertificates, clientNames }: WebTls, socket: TLSSocket): boolean {
  if (clientCertificates === 'none' || clientCertificates === 'request') return true
  const certificate = socket.getPeerCertificate()
  const given = Object.keys(certificate ?? {}).length > 0
  if (clientCertificates === 'require') return given
  if (!given) return clientCertificates === 'verify_if_given'
  if (!socket.authorized) return false
  return clientNames.length === 0 || namesOf(certificate.subjectaltname).some((name) => clientNames.includes(name))
}

/** `DNS:a.example, IP Address:::1` -> the plain names; one that needs quotes is none. */
const namesOf = (text: string | undefined): string[] =>
  (text ?? '').split(', ').flatMap((part) => /^(?:DNS|IP Address|URI|email):([^"]+)$/.exec(part)?.[1] ?? [])
