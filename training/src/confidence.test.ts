import t from 'tap'
import { recordingOf } from './bundle/recording.ts'
import { runRecordings } from './bundle/run.ts'
import { generateFleet } from './simulate/index.ts'
import { train } from './train.ts'

const INTERVAL = 120
const DAYS = 7
const ROWS = (DAYS * 86_400) / INTERVAL
/**
 * A share may be this many times what it should be, or as small a part of it: neighbouring rows are alike, so that some
 * five thousand tell as much as two hundred and fifty that are not, and no week is like the one before.
 */
const TOLERANCE = 1.75

t.test('of the normal rows of a host, a share p has a confidence above 1 - p', async (t) => {
  const [host] = generateFleet({ hosts: 1, days: 2 * DAYS, intervalSeconds: INTERVAL, seed: 'confidence' })
  if (host === undefined) throw new Error('no host was simulated')
  const whole = recordingOf(host)
  const d = whole.signals.length
  const part = (from: number, to: number) => ({
    ...whole,
    at: whole.at.slice(from, to),
    values: whole.values.slice(from * d, to * d),
  })
  const { parts } = await train(
    { source: 'test', recording: part(0, ROWS), intervalSeconds: INTERVAL, notes: [] },
    { name: 'own', seed: '1', detectors: 'default', failure: null, progress: () => undefined },
  )
  const confidences: number[] = []
  runRecordings([part(ROWS, 2 * ROWS)], parts.manifest, parts.model, ({ outcome }) => {
    confidences.push(outcome.scores?.confidence ?? Number.NaN)
  })
  t.equal(confidences.length, ROWS)
  t.ok(confidences.every((x) => x > 0 && x < 1))
  for (const p of [0.5, 0.1, 0.05, 0.01]) {
    const share = confidences.filter((x) => x > 1 - p).length / ROWS
    t.ok(share > p / TOLERANCE && share < p * TOLERANCE, `${(100 * share).toFixed(2)} % for ${100 * p} %`)
  }
})
