/** The commands that users type, run as processes of their own. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isLinux, ownCpuSeconds } from '../support/measure.mjs'

const BIN = fileURLToPath(new URL('../../exporter/bin/portent.js', import.meta.url))

/** @returns {{ seconds: number, cpuSeconds: number | null }} */
export function portent(...args) {
  const cpu = isLinux ? ownCpuSeconds() : 0
  const started = performance.now()
  const { status, stderr } = spawnSync(process.execPath, [BIN, ...args.map(String)], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  })
  const seconds = (performance.now() - started) / 1000
  if (status !== 0) {
    const why = stderr.trim().split('\n').at(-1)
    throw new Error(why || `portent ${args[0]} ended with ${status}`)
  }
  return { seconds, cpuSeconds: isLinux ? ownCpuSeconds() - cpu : null }
}

/**
 * @typedef {{ bundle: string, seconds: number, cpuSeconds: number | null, reused: boolean }} Fit
 */

/**
 * A bundle of a training file, in `folder`; the one that is there already where bundles are reused.
 * @returns {Fit}
 */
export function trained({ data, interval, folder, detectors = 'default', reuse }) {
  const bundle = join(folder, 'bundle')
  const figures = join(folder, 'fit.json')
  if (reuse && existsSync(figures)) return { bundle, ...JSON.parse(readFileSync(figures, 'utf8')), reused: true }
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const named = detectors === 'default' ? [] : ['--detectors', detectors]
  const took = portent('train', '--data', data, '--interval', interval, ...named, '--out', bundle)
  writeFileSync(figures, JSON.stringify(took))
  return { bundle, ...took, reused: false }
}
