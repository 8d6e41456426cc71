/** What the pages for people share: one document, no script, nothing loaded from elsewhere. */
import { createHash } from 'node:crypto'

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

export interface Page {
  readonly html: string
  readonly contentSecurityPolicy: string
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (c) => ENTITIES[c] ?? '')

/** `title` and `body` are HTML; `more` is style besides the common one. */
export function page(title: string, body: string, more = ''): Page {
  const style = STYLE + more
  const contentSecurityPolicy = [
    "default-src 'none'",
    `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${style}</style>
</head>
<body>
${body}
</body>
</html>
`
  return { html, contentSecurityPolicy }
}
