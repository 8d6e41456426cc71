/** Which text of the metrics a client wants (RFC 9110: Accept and Accept-Encoding with weights). Pure. */
export type Format = 'text' | 'openmetrics'

interface Weighted {
  readonly value: string
  readonly parameters: ReadonlyMap<string, string>
  readonly q: number
}

/** `a/b;version=1;q=0.5, c/d` -> its parts. A weight that is no number counts as 0. */
function weighted(header: string): Weighted[] {
  return header
    .slice(0, 4096)
    .split(',')
    .map((part) => {
      const [value = '', ...rest] = part.split(';').map((piece) => piece.trim().toLowerCase())
      const parameters = new Map(
        rest.map((piece) => {
          const [name = '', text = ''] = piece.split('=').map((side) => side.trim())
          return [name, text.replace(/^"|"$/g, '')] as const
        }),
      )
      const q = Number(parameters.get('q') ?? 1)
      return { value, parameters, q: q >= 0 && q <= 1 ? q : 0 }
    })
}

export interface Negotiated {
  readonly format: Format
  /** Of OpenMetrics; the two that exist are the same text. */
  readonly version: string
  readonly gzip: boolean
}

/**
 * OpenMetrics only where it is named and wanted at least as much as plain text. A client that accepts neither gets plain
 * text, as with the Prometheus client libraries.
 */
export function negotiate(accept: string | undefined, acceptEncoding: string | undefined): Negotiated {
  let openMetrics = { q: 0, version: '1.0.0' }
  let text = 0
  for (const { value, parameters, q } of weighted(accept ?? '')) {
    const version = parameters.get('version')
    if (value === 'application/openmetrics-text') {
      const known = version === undefined || version === '1.0.0' || version === '0.0.1'
      if (known && q > openMetrics.q) openMetrics = { q, version: version ?? '1.0.0' }
    } else if (value === 'text/plain') {
      if (version === undefined || version === '0.0.4') text = Math.max(text, q)
    } else if (value === 'text/*' || value === '*/*') text = Math.max(text, q)
  }
  const format: Format = openMetrics.q > 0 && openMetrics.q >= text ? 'openmetrics' : 'text'
  return { format, version: openMetrics.version, gzip: wantsGzip(acceptEncoding) }
}

function wantsGzip(acceptEncoding: string | undefined): boolean {
  if (acceptEncoding === undefined) return false
  const encodings = weighted(acceptEncoding)
  const weight = (name: string) => encodings.find((e) => e.value === name)?.q
  const gzip = weight('gzip') ?? weight('x-gzip') ?? weight('*') ?? 0
  return gzip > 0 && gzip >= (weight('identity') ?? 0)
}
