/** The page at /api/v1/docs: the OpenAPI document for people. Made once, on the server; it runs and loads nothing. */
import type { ApiDeps } from './deps.ts'
import { readQuery } from './input.ts'
import type { Mount } from './mount.ts'
import { type JsonSchema, type OpenApiDocument, type Operation, openApiDocument } from './openapi.ts'
import { escapeHtml, type Page, page } from './page.ts'
import type { Route } from './route.ts'

const PATH = '/api/v1/docs'

const STYLE = `
header { margin-bottom: 1rem; }
article { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem;
  margin: 0 0 .75rem; }
article h3 { font: 600 .95rem/1.4 ui-monospace, monospace; margin: 0; overflow-wrap: anywhere; }
article p { margin: .35rem 0; }
.method { display: inline-block; min-width: 3.2em; color: var(--green); }
.method.post, .method.put { color: var(--yellow); } .method.delete { color: var(--red); }
.scope { float: right; font: 400 .8rem/1.6 system-ui, sans-serif; color: var(--soft); }
details { margin: .5rem 0 0; } summary { cursor: pointer; color: var(--soft); font-size: .9rem; }
pre { margin: .5rem 0 0; padding: .6rem .75rem; overflow-x: auto; border: 1px solid var(--line); border-radius: .4rem;
  background: var(--page); font: .8rem/1.5 ui-monospace, monospace; }
dl { margin: .5rem 0 0; padding-left: .75rem; border-left: 2px solid var(--line); font-size: .88rem; }
dt { font-family: ui-monospace, monospace; overflow-wrap: anywhere; margin-top: .3rem; }
dt span, dd { color: var(--soft); } dt span { font-family: system-ui, sans-serif; }
dd { margin: 0 0 0 .75rem; }
dd dl { margin-top: .1rem; }
`

export function bindDocs(mount: Mount, routes: readonly Route[], deps: ApiDeps): void {
  mount.add('GET', PATH, 'read', async (c) => {
    readQuery(new URL(c.req.url).searchParams, undefined)
    const made = docsPage(openApiDocument(routes, deps.version), deps.version)
    c.header('Content-Security-Policy', made.contentSecurityPolicy)
    c.header('Content-Type', 'text/html; charset=utf-8')
    return c.body(made.html)
  })
}

export function docsPage(document: OpenApiDocument, version: string): Page {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  )
  const sections = document.tags.map(({ name, description }) => {
    const own = operations.filter(({ operation }) => operation.tags.includes(name))
    return `<section id="${escapeHtml(name)}">
<h2>${escapeHtml(description)}</h2>
${own.map(({ path, method, operation }) => article(path, method, operation)).join('\n')}
</section>`
  })
  const links = document.tags.map(({ name }) => `<a href="#${escapeHtml(name)}">${escapeHtml(name)}</a>`)
  return page(
    'Portent API',
    `<header>
<h1>Portent API</h1>
<p class="soft">Version ${escapeHtml(version)} &middot; <a href="/api/v1/openapi.json">OpenAPI 3.1 document</a> &middot; <a href="/">all targets</a></p>
<p>JSON in and out. Every refusal has one shape:
<code>{"error": {"status", "code", "message", "field"?}}</code>. Examples are for a shell with
<code>PORTENT</code> set to this service's address, such as <code>http://127.0.0.1:21710</code>.</p>
</header>
<nav>${links.join('\n')}</nav>
<main>
${sections.join('\n')}
</main>`,
    STYLE,
  )
}

/** Words in backticks are code. */
const text = (words: string): string => escapeHtml(words).replace(/`([^`]+)`/g, '<code>$1</code>')

function article(path: string, method: string, operation: Operation): string {
  const body = operation.requestBody?.content['application/json']
  const answer = (operation.responses[200] as { content: { 'application/json': { schema: JsonSchema } } }).content
  const parameters = (operation.parameters ?? []).map(
    ({ name, in: where, required, description, schema }) =>
      `<dt>${escapeHtml(name)} <span>${escapeHtml(`${where}, ${typeOf(schema)}${required ? '' : ', optional'}`)}</span></dt>
<dd>${text(description ?? '')}</dd>`,
  )
  const statuses = Object.entries(operation.responses)
    .filter(([status]) => status !== '200')
    .map(
      ([status, { description }]: [string, { description?: string }]) =>
        `<dt>${status}</dt><dd>${escapeHtml(description ?? '')}</dd>`,
    )
  return `<article id="${escapeHtml(operation.operationId)}">
<h3><span class="scope">${escapeHtml(operation['x-scope'])}</span><span class="method ${escapeHtml(method)}">${escapeHtml(method.toUpperCase())}</span> ${escapeHtml(path)}</h3>
<p><strong>${escapeHtml(operation.summary)}.</strong> ${text(operation.description)}</p>
${parameters.length > 0 ? `<dl>${parameters.join('')}</dl>` : ''}
${body ? `<details><summary>Body</summary>${tree(body.schema)}</details>` : ''}
<details><summary>Answer</summary>${tree(answer['application/json'].schema)}</details>
<details><summary>Refusals</summary><dl>${statuses.join('')}</dl></details>
<pre>${escapeHtml(curl(path, method, operation, body?.example))}</pre>
</article>`
}

/** The properties of an object, those of its parts below them. */
function tree(schema: JsonSchema): string {
  const { properties, required = [] } = inner(schema) as {
    properties?: Record<string, JsonSchema>
    required?: readonly string[]
  }
  if (properties === undefined) return ''
  const entries = Object.entries(properties).map(([name, property]) => {
    const optional = required.includes(name) ? '' : ', optional'
    const description = typeof property.description === 'string' ? property.description : ''
    return `<dt>${escapeHtml(name)} <span>${escapeHtml(typeOf(property) + optional)}</span></dt>
<dd>${text(description)}${tree(property)}</dd>`
  })
  return `<dl>${entries.join('')}</dl>`
}

/** What a list holds, what a union holds besides null, the values of a record; else the schema itself. */
function inner(schema: JsonSchema): JsonSchema {
  const { items, anyOf, additionalProperties, properties } = schema as {
    items?: JsonSchema
    anyOf?: readonly JsonSchema[]
    additionalProperties?: JsonSchema | boolean
    properties?: object
  }
  if (items !== undefined) return inner(items)
  const one = anyOf?.find((option) => option.type === 'object' || option.type === 'array')
  if (one !== undefined) return inner(one)
  if (properties === undefined && typeof additionalProperties === 'object') return inner(additionalProperties)
  return schema
}

/** A schema's type in a few words. */
function typeOf(schema: JsonSchema): string {
  const { type, anyOf, items, format, additionalProperties } = schema as {
    type?: string
    anyOf?: readonly JsonSchema[]
    items?: JsonSchema
    format?: string
    additionalProperties?: JsonSchema | boolean
  }
  if (Array.isArray(schema.enum)) return (schema.enum as unknown[]).map(String).join(' | ')
  if (anyOf !== undefined) return anyOf.map(typeOf).join(' or ')
  if (type === 'array' && items !== undefined) return `list of ${typeOf(items)}`
  if (type === 'object' && typeof additionalProperties === 'object' && Object.keys(additionalProperties).length > 0) {
    return `map of ${typeOf(additionalProperties)}`
  }
  return format === 'date-time' ? 'time' : (type ?? 'any')
}

function curl(path: string, method: string, { parameters = [] }: Operation, example: unknown): string {
  const query = parameters.filter((p) => p.in === 'query' && p.required).map((p) => `${p.name}=...`)
  const url = `"$PORTENT${path.replace(/\{(\w+)\}/g, (_, name: string) => name.toUpperCase())}${query.length > 0 ? `?${query.join('&')}` : ''}"`
  if (method === 'get') return `curl -s ${url}`
  if (example === undefined) return `curl -s -X ${method.toUpperCase()} ${url}`
  const verb = method === 'post' ? '' : `-X ${method.toUpperCase()} `
  return `curl -s ${verb}${url} -H 'Content-Type: application/json' \\\n  -d '${JSON.stringify(example)}'`
}
