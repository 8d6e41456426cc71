/** The page at `/`: how each target is, and where the rest is. One document, no script, nothing loaded from elsewhere. */
import { createHash } from 'node:crypto'
import type { ApiDeps, TargetState } from './deps.ts'
import { ageOf } from './parameters.ts'

const STYLE = `
:root { color-scheme: light dark; --text: #1b1f24; --soft: #59636e; --line: #d1d9e0; --card: #fff; --page: #f6f8fa;
  --green: #1a7f37; --yellow: #8a6100; --red: #c4232c; }
@media (prefers-color-scheme: dark) { :root { --text: #e6edf3; --soft: #9198a1; --line: #3d444d; --card: #161b22;
  --page: #0d1117; --green: #3fb950; --yellow: #d29922; --red: #ff7b72; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 46rem; padding: 1.5rem 1rem 3rem; background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0; }
h2 { font-size: 1rem; margin: 2rem 0 .5rem; color: var(--soft); font-weight: 600; }
p { margin: .25rem 0; }
a { color: inherit; }
.soft { color: var(--soft); }
ul { list-style: none; margin: 0; padding: 0; display: grid; gap: .5rem; }
li { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; }
.head { display: flex; flex-wrap: wrap; gap: .25rem 1rem; justify-content: space-between; align-items: baseline; }
.name { font-weight: 600; overflow-wrap: anywhere; }
.value { font-variant-numeric: tabular-nums; white-space: nowrap; }
.green { color: var(--green); } .yellow { color: var(--yellow); } .red { color: var(--red); }
.why { color: var(--soft); font-size: .9rem; overflow-wrap: anywhere; }
nav { display: flex; flex-wrap: wrap; gap: .5rem; }
nav a { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .5rem .75rem;
  text-decoration: none; }
nav a:hover, nav a:focus-visible { border-color: currentColor; }
`

const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** Targets shown at most; the API lists them all. */
const MAX_TARGETS = 200
const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (c) => ENTITIES[c] ?? '')

export function landingPage(deps: ApiDeps, telemetryPath: string): { html: string; contentSecurityPolicy: string } {
  const targets = deps.targets()
  const now = deps.now()
  const notReady = deps.notReady()
  const more = targets.length > MAX_TARGETS ? `<p class="soft">and ${targets.length - MAX_TARGETS} more</p>` : ''
  const cards = targets.slice(0, MAX_TARGETS).map((target) => card(target, deps, now))
  const links = [
    [telemetryPath, 'Metrics'],
    ['/api/v1/targets', 'Targets'],
    ['/api/v1/alerts', 'Alerts'],
    ['/api/v1/model', 'Model'],
    ['/api/v1/performance', 'Performance'],
    ['/api/v1', 'All of the API'],
    ['/-/healthy', 'Healthy'],
    ['/-/ready', 'Ready'],
  ] as const
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Portent</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>Portent</h1>
<p class="soft">Version ${escapeHtml(deps.version)}${notReady === null ? '' : ` &middot; not ready: ${escapeHtml(notReady)}`}</p>
</header>
<main>
<h2>Targets</h2>
${cards.length === 0 ? '<p class="soft">No target has been seen yet.</p>' : `<ul>\n${cards.join('\n')}\n</ul>`}
${more}
<h2>Look closer</h2>
<nav>${links.map(([href, text]) => `<a href="${escapeHtml(href)}">${text}</a>`).join('\n')}</nav>
</main>
</body>
</html>
`
  return { html, contentSecurityPolicy: CONTENT_SECURITY_POLICY }
}

function card({ target, assessment: a }: TargetState, deps: ApiDeps, now: number): string {
  const link = `<a class="name" href="/api/v1/targets/${encodeURIComponent(target)}/health">${escapeHtml(target)}</a>`
  const bare = (text: string) => `<li><div class="head">${link}<span class="soft">${text}</span></div></li>`
  if (a === null) return bare('not assessed yet')
  const { current, at } = ageOf(a, deps, now)
  if (!current) return bare(`no score since ${at}`)
  const hint = a.hints[0]
  const why = a.risk !== 'green' && hint !== undefined ? deps.hintSentence(hint) : a.riskReason
  const model = a.model === 'active' ? '' : ' &middot; rules only'
  return `<li><div class="head">${link}<span class="value ${a.risk}">health ${Math.round(a.health)} &middot; ${a.risk}</span></div>
<p class="why">${escapeHtml(why)}${model}</p></li>`
}
