/**
 * Data flows one way, so imports do: a leaf room knows the nouns, core and itself, and what is listed here. Only the
 * application, the pipeline and the command line know the rooms.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix, relative } from 'node:path'

/** Room of exporter/src -> the other rooms it may import. */
const MAY_IMPORT = {
  'types.ts': [],
  collect: ['types.ts'],
  window: ['types.ts'],
  bundle: ['types.ts'],
  detect: ['types.ts', 'bundle'],
  explain: ['types.ts'],
  assess: ['types.ts', 'explain'],
  publish: ['types.ts', 'bundle'],
  store: ['types.ts'],
  config: [],
  log: ['config'],
  access: ['config'],
  api: ['types.ts', 'publish', 'access'],
  outlook: ['types.ts'],
  replay: ['types.ts', 'bundle', 'detect', 'explain', 'outlook'],
  backtest: ['detect', 'outlook', 'replay'],
  'cycle.ts': ['types.ts', 'window', 'detect', 'explain', 'assess', 'outlook'],
}
/** These know every room. */
const KNOW_ALL = ['app.ts', 'main.ts', 'cli', 'wiring']
/** Package -> the workspace packages it may import. */
const PACKAGES = { core: [], training: ['@portent/core'], exporter: ['@portent/core'] }

const problems = []
for (const [name, allowed] of Object.entries(PACKAGES)) {
  const src = join(name, 'src')
  for (const file of readdirSync(src, { recursive: true })) {
    if (!file.endsWith('.ts') || file.includes('/gen/')) continue
    const path = join(src, file)
    const text = readFileSync(path, 'utf8')
    for (const [, specifier] of text.matchAll(/(?:from|import\(|import)\s*'([^']+)'/g)) {
      const workspace = /^@portent\/[a-z]+/.exec(specifier)?.[0]
      if (workspace && !allowed.includes(workspace)) problems.push(`${path}: ${name} must not import ${specifier}`)
      if (specifier.startsWith('.')) checkRelative(name, src, path, specifier)
    }
  }
}

function checkRelative(name, src, path, specifier) {
  const to = posix.normalize(posix.join(dirname(path), specifier))
  if (!to.startsWith(`${src}/`)) return void problems.push(`${path}: imports ${specifier}, outside of its package`)
  if (name !== 'exporter' || path.endsWith('.test.ts')) return
  const room = (p) => relative(src, p).split('/')[0]
  const from = room(path)
  const other = room(to)
  if (from === other || KNOW_ALL.includes(from)) return
  if (!(from in MAY_IMPORT)) return void problems.push(`${path}: the room ${from} is not listed in .ci/imports.mjs`)
  if (!MAY_IMPORT[from].includes(other)) problems.push(`${path}: ${from} must not import ${other}`)
}

for (const problem of problems) console.error(problem)
console.log(problems.length === 0 ? 'imports: one way' : `imports: ${problems.length} against the direction`)
process.exitCode = problems.length === 0 ? 0 : 1
