/**
 * Runs tap over the built tests and prints what a reader needs: one line a file, every skipped test with its reason, the
 * whole output of a file that fails, and at the end a plain count.
 */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

const tap = spawn(process.execPath, ['node_modules/tap/dist/esm/run.mjs', '--reporter=tap', ...process.argv.slice(2)], {
  stdio: ['inherit', 'pipe', 'inherit'],
})
const counts = { pass: 0, fail: 0, skip: 0, todo: 0 }
let file = []

for await (const line of createInterface({ input: tap.stdout })) {
  const indent = line.search(/\S/)
  const summary = /^# \{ (.*) \}$/.exec(line)
  if (summary) {
    for (const [, key, n] of summary[1].matchAll(/(\w+): (\d+)/g)) if (key in counts) counts[key] = Number(n)
    console.log(line)
    continue
  }
  if (/# (SKIP|TODO)/i.test(line)) console.log(line.trim())
  file.push(line)
  if (indent === 0 && /^(not )?ok /.test(line)) {
    if (line.startsWith('not ok')) console.log(file.join('\n'))
    else console.log(line)
    file = []
  } else if (indent === 0 && /^Bail out/.test(line)) console.log(line)
}

const code = await new Promise((resolve) => tap.on('close', resolve))
if (counts.pass + counts.fail + counts.skip === 0) console.error('no test ran')
console.log(`${counts.pass} passed, ${counts.fail} failed, ${counts.skip} skipped`)
process.exitCode = code !== 0 ? (code ?? 1) : counts.pass === 0 ? 1 : 0
