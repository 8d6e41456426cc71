/**
 * Takes secrets out of a finished log line, the only way to a destination, so that nested keys, child bindings, error
 * messages and stacks are all covered. A line that looks harmless is passed on as it is; any other is parsed and
 * written again. Every pattern takes time in proportion to the line.
 */

const SHOWN = '<secret>'

const NAMES = [
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'x-api-key',
  'api[_-]?key',
  'password',
  'passwd',
  'secret',
  'token',
  'access_token',
  'refresh_token',
  'client_secret',
].join('|')

const SECRET_KEY = new RegExp(`^(?:${NAMES})$`, 'i')

const SUSPICIOUS = new RegExp(`${NAMES}|bearer|basic |ptk_|eyJ|\\$2[aby]\\$|PRIVATE KEY|://[^/\\s]{0,512}@`, 'i')

const PATTERNS: readonly (readonly [RegExp, string])[] = [
  // JSON within a text
  [new RegExp(`("(?:${NAMES})"\\s?:\\s?")(?:[^"\\\\]|\\\\.)*`, 'gi'), `$1${SHOWN}`],
  [new RegExp(`("(?:${NAMES})"\\s?:\\s?\\[)[^\\]]{0,4096}`, 'gi'), `$1"${SHOWN}"`],
  // a header within a text; a digest has several parts, to the end of the line
  [
    /(authorization[\\"']{0,6}\s?[:=]\s?[\\"']{0,6})(?:digest\s[^\n]+|(?:(?:basic|bearer|negotiate|token|apikey)\s+)?[^\s"'\\,}\]]+)/gi,
    `$1${SHOWN}`,
  ],
  [/\b(bearer\s+)[\w.~+/=-]{8,}/gi, `$1${SHOWN}`],
  // user:password in base64; a plain word after `basic` is none
  [/\b((?:[Bb]asic|BASIC)\s+)(?=[a-z]*[A-Z0-9+/=])[A-Za-z0-9+/]{6,}={0,2}/g, `$1${SHOWN}`],
  // an API key, whose id may be told; one with a slip in it is close to a real one
  [/\b(ptk_[0-9a-z]{1,10}_)[0-9A-Za-z_-]{8,}/gi, `$1${SHOWN}`],
  [/\bptk_[0-9A-Za-z-]{11,}/gi, SHOWN],
  // a JSON web token
  [/\beyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*){0,3}/g, SHOWN],
  // a bcrypt hash, a private key
  [/\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}/g, SHOWN],
  [/-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[\s\S]{0,16384}?(?:-----END [A-Z ]{0,20}PRIVATE KEY-----|$)/g, SHOWN],
  // user:password@ of a URL
  [/(\b[a-z][a-z0-9+.-]{1,20}:\/\/)[^\s/@"'\\]{1,512}@/gi, `$1${SHOWN}@`],
]

/** A function from a line of JSON to the same line without the given secrets and what looks like one. */
export function createScrubber(secrets: readonly string[] = []): (line: string) => string {
  const literals = secrets
    .filter((secret) => secret.length > 0)
    .flatMap((secret) => [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)])
    // The longest first: a secret may be a part of another.
    .sort((a, b) => b.length - a.length)

  const text = (value: string): string => {
    let clean = value
    for (const secret of literals) clean = clean.replaceAll(secret, SHOWN)
    for (const [pattern, replacement] of PATTERNS) clean = clean.replace(pattern, replacement)
    return clean
  }
  const scrubbed = (value: unknown): unknown => {
    if (typeof value === 'string') return text(value)
    if (Array.isArray(value)) return value.map(scrubbed)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [text(key), SECRET_KEY.test(key) ? SHOWN : scrubbed(inner)]),
    )
  }
  return (line) => {
    if (!SUSPICIOUS.test(line) && !literals.some((secret) => line.includes(secret))) return line
    return `${JSON.stringify(scrubbed(JSON.parse(line)))}\n`
  }
}
