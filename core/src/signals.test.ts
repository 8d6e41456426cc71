import t from 'tap'
import { applyTransform, HOST_SIGNALS, invertTransform, transformOf } from './signals.ts'

t.test('signal names are unique', async (t) => {
  t.equal(new Set(HOST_SIGNALS.map((s) => s.name)).size, HOST_SIGNALS.length)
})

t.test('a transform and its inverse cancel', async (t) => {
  for (const { unit } of HOST_SIGNALS) {
    const transform = transformOf(unit)
    for (const x of [0, 0.25, 3, 1e6]) {
      t.ok(Math.abs(invertTransform(transform, applyTransform(transform, x)) - x) <= 1e-9 * Math.max(1, x))
    }
  }
})

t.test('a rate below zero is taken as zero', async (t) => {
  t.equal(applyTransform({ kind: 'log1p', scale: 1 }, -5), 0)
})
