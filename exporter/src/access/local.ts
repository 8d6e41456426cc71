/**
 * Who may call what while there are no credentials. A request counts as local if its socket comes from loopback and it was
 * not sent by a foreign web page (Host and Origin name loopback, so that a rebound DNS name does not pass) and not passed
 * on by a proxy (whose clients could be anyone).
 */

const FORWARDING = ['x-forwarded-for', 'forwarded', 'x-real-ip', 'x-forwarded-host', 'via'] as const
const IPV4 = /^127(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}$/

export function isLoopbackAddress(address: string | undefined): boolean {
  if (address === undefined) return false
  return address === '::1' || IPV4.test(address.replace(/^::ffff:/i, ''))
}

/** The host of a listen address; null: all interfaces. */
export const isLoopbackHost = (host: string | null): boolean =>
  host !== null && (isLoopbackAddress(host) || isLoopbackName(host.toLowerCase()))

/** `host` without a port. */
function isLoopbackName(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || IPV4.test(host)
}

/** Why a request does not count as local, or null. */
export function notLocalBecause(
  remoteAddress: string | undefined,
  header: (name: string) => string | undefined,
): string | null {
  if (!isLoopbackAddress(remoteAddress)) return 'it does not come from a loopback address'
  for (const name of FORWARDING) if (header(name) !== undefined) return `it was forwarded (header ${name})`
  const host = /^(\[[^\]]*\]|[^:[\]]*)(?::\d{1,5})?$/.exec((header('host') ?? '').toLowerCase())?.[1]
  if (host === undefined || !isLoopbackName(host)) return 'its Host header does not name loopback'
  const origin = header('origin')
  if (origin !== undefined && !isLoopbackOrigin(origin)) return 'its Origin header does not name loopback'
  return null
}

function isLoopbackOrigin(origin: string): boolean {
  if (!URL.canParse(origin)) return false
  const { protocol, hostname } = new URL(origin)
  return (protocol === 'http:' || protocol === 'https:') && isLoopbackName(hostname)
}
