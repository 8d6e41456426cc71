/** Rows and assessments for tests. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { Assessment, Outlook, SignalValues } from '../types.ts'
import type { HistoryEntry, StoreLog } from './index.ts'

/** A minute boundary. */
export const T0 = 1_700_000_040_000

export const SCORES = {
  anomaly: { ensemble: 0.5, window: 0.4 },
  raw: 0.6,
  ranking: 0.7,
  threshold: 1.2,
  alarm: false,
  confidence: 0.25,
  budget: { requested: 0.005, realised: 0 },
}

/** What is to come, with that probability of a failure within an hour. */
export const outlookOf = (probability: number): Outlook => ({
  at: T0,
  resources: [],
  failure: {
    horizons: [
      { seconds: 900, probability: probability / 2 },
      { seconds: 3600, probability },
    ],
    headline: { seconds: 3600, probability },
    confidence: 1,
    event: null,
    reasons: [],
  },
  failureProgress: 1,
  forecasts: [],
})

export function entry(
  at: number,
  values: SignalValues = { cpu_busy: 0.5 },
  more: Partial<Assessment> = {},
  target = 'host',
): HistoryEntry {
  const resources = [{ resource: 'memory', used: 0.25 }]
  return {
    row: { target, at, values, resources },
    assessment: {
      target,
      at,
      model: 'active',
      version: '0123456789ab',
      health: 90,
      risk: 'green',
      riskReason: 'health is 90',
      severity: 'none',
      severityReason: 'nothing is wrong',
      penalties: [],
      symptoms: [],
      scores: SCORES,
      shap: null,
      hints: [],
      outlook: null,
      drift: null,
      warmup: { window: 1, failure: 0, drift: 0 },
      coverage: 1,
      trust: 0.5,
      sensitivity: 5,
      values,
      resources,
      ...more,
    },
  }
}

export function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'portent-store-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** A log that remembers its messages. */
export function memoryLog(): StoreLog & { readonly lines: string[] } {
  const lines: string[] = []
  const keep = (_: object, message: string) => {
    lines.push(message)
  }
  return { lines, info: keep, warn: keep, error: keep }
}
