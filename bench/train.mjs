/** Fitting a host's own bundle: 16 days of minutes, from a file to a bundle with its report. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { row } from './support/row.mjs'

const BIN = fileURLToPath(new URL('../exporter/bin/portent.js', import.meta.url))

export default async function train() {
  const folder = mkdtempSync(join(tmpdir(), 'portent-bench-'))
  try {
    const data = join(folder, 'host.csv')
    portent('simulate', '--days', '16', '--interval', '60', '--faults-per-day', '0', '--out', data)
    const started = performance.now()
    const out = portent('train', '--data', data, '--interval', '60', '--out', join(folder, 'bundle'))
    const seconds = (performance.now() - started) / 1000
    return [
      row('fitting 16 days of minutes, default mix, with calibration', {
        measured:
          out
            .split('\n')
            .find((line) => /rows/.test(line))
            ?.trim() ?? '',
        value: seconds,
        goal: 5,
        format: (x) => `${x.toFixed(1)} s`,
      }),
    ]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function portent(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...args], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`portent ${args.join(' ')} ended with ${status}: ${stderr}`)
  return stdout
}
