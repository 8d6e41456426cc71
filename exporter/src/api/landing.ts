/** The page at `/`: how each target is, and where the rest is. One document, no script, nothing loaded from elsewhere. */
import type { ApiDeps, TargetState } from './deps.ts'
import { escapeHtml, type Page, page } from './page.ts'
import { ageOf } from './parameters.ts'

/** Targets shown at most; the API lists them all. */
const MAX_TARGETS = 200
export function landingPage(deps: ApiDeps, telemetryPath: string): Page {
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
    ['/api/v1/docs', 'API'],
    ['/-/healthy', 'Healthy'],
    ['/-/ready', 'Ready'],
  ] as const
  return page(
    'Portent',
    `<header>
<h1>Portent</h1>
<p class="soft">Version ${escapeHtml(deps.version)}${notReady === null ? '' : ` &middot; not ready: ${escapeHtml(notReady)}`}</p>
</header>
<main>
<h2>Targets</h2>
${cards.length === 0 ? '<p class="soft">No target has been seen yet.</p>' : `<ul>\n${cards.join('\n')}\n</ul>`}
${more}
<h2>Look closer</h2>
<nav>${links.map(([href, text]) => `<a href="${escapeHtml(href)}">${text}</a>`).join('\n')}</nav>
</main>`,
  )
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
