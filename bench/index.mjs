/**
 * `npm run bench`: what the service costs, as ratios of one run, beside the goals. Prints a table and always succeeds: a
 * benchmark is not a test.
 *
 *     node bench/index.mjs [--json FILE] [NAME ...]
 */
import { fork } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { unmet } from './support/row.mjs'

/** Each in a file of its own of the same name, whose default export returns the rows; run in a process of its own. */
const BENCHES = [
  'cycle',
  'collect',
  'scrape',
  'framework',
  'forest',
  'shap',
  'fleet',
  'render',
  'train',
  'api',
  'service',
]

const { values: options, positionals } = parseArgs({
  options: { json: { type: 'string' }, only: { type: 'string' } },
  allowPositionals: true,
})

if (options.only !== undefined) {
  const { default: run } = await import(`./${options.only}.mjs`)
  process.send(await run(), () => process.exit())
} else {
  const unknown = positionals.filter((name) => !BENCHES.includes(name))
  if (unknown.length > 0) console.error(`no benchmark ${unknown.join(', ')}: there are ${BENCHES.join(', ')}`)
  const all = []
  console.log(
    `Node ${process.versions.node}, ${process.platform}-${process.arch}, ${cpus().length} x ${cpus()[0]?.model}\n`,
  )
  for (const name of BENCHES.filter((name) => positionals.length === 0 || positionals.includes(name))) {
    const rows = await inItsOwnProcess(name)
    print(rows)
    all.push(...rows.map((row) => ({ bench: name, ...row })))
  }
  if (options.json) writeFileSync(options.json, `${JSON.stringify(all, null, 2)}\n`)
  const counted = all.filter((row) => row.met !== null)
  console.log(`\n${counted.filter((row) => row.met).length} of ${counted.length} goals met`)
}

/** @returns {Promise<import('./support/row.mjs').Row[]>} */
function inItsOwnProcess(name) {
  return new Promise((resolve) => {
    const child = fork(fileURLToPath(import.meta.url), ['--only', name], { serialization: 'advanced' })
    let rows = null
    child.on('message', (message) => {
      rows = message
    })
    child.on('exit', (code) => resolve(rows ?? [unmet(name, { why: `ended with code ${code}` })]))
  })
}

function print(rows) {
  for (const { what, measured, shown, goal, met } of rows) {
    const verdict = met === null ? '' : met ? 'met' : 'MISSED'
    console.log(`${what.padEnd(58)} ${shown.padEnd(16)} ${goal.padEnd(12)} ${verdict}\n    ${measured}`)
  }
}
