/** Hosts that behave as the bundle's first golden case does, each with noise of its own. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { seeded } from './measure.mjs'

export const BUNDLE = fileURLToPath(new URL('../../exporter/bundle/', import.meta.url))
export const INTERVAL_SECONDS = 10
const NOISE = 0.2

const golden = JSON.parse(readFileSync(`${BUNDLE}/golden.json`, 'utf8'))
const manifest = JSON.parse(readFileSync(`${BUNDLE}/manifest.json`, 'utf8'))

/**
 * @param {number} n
 * @returns {() => import('../../exporter/dist/types.js').Row[]} the next row of each of n hosts, one interval later
 */
export function hosts(n, seed = 1) {
  const random = seeded(seed)
  const { window, mask } = golden.cases[0]
  const usual = window[0].map((_, j) => window.reduce((sum, row) => sum + row[j], 0) / window.length)
  const start = Date.now()
  let tick = 0
  return () => {
    tick++
    const passed = tick * INTERVAL_SECONDS * 1000
    return Array.from({ length: n }, (_, i) => {
      const values = {}
      manifest.signals.forEach(({ name }, j) => {
        if (mask[j] === 1) values[name] = usual[j] * (1 + NOISE * (random() - 0.5))
      })
      const resources = [
        { resource: 'memory', used: values.memory_used ?? 0.5, capacity: 8e9, unit: 'bytes' },
        { resource: 'filesystem:/', used: values.filesystem_used ?? 0.5, capacity: 1e11, unit: 'bytes' },
      ]
      return { target: `host-${i}`, at: start + passed, monotonic: passed, values, resources }
    })
  }
}
