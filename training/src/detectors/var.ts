/**
 * Vector autoregression: how far the newest row is from what the rows before it foretell. A ridge regression predicts
 * every signal from all signals one, two and three rows back, their exponential means, and a constant; the score is the
 * mean of the five largest absolute residuals, each over its spread in training.
 *
 * Works when an incident starts with a jump, or moves a signal without the ones that usually move with it; it answers in
 * the row itself. Does not work for what creeps (a leak predicts its own next step) or lasts: once an incident is the
 * state of things its residuals are small again, which is what the window detectors beside it are for. Needs signals
 * that carry over from row to row; on white noise it is a z-score of the newest row.
 *
 * An absent signal stands at 0 among the predictors and gives no residual; with fewer than five present signals the mean
 * is over those.
 */

import { addGram, mirror, solvePositive } from '@portent/core/linalg'
import { GraphBuilder } from '@portent/core/onnx'
import { batchesOf, ROW_CLIP, type TrainingSet } from '../features/training-set.ts'
import { clip, WINDOW_ROWS } from '../features/window.ts'
import { clipNode, presence, presentCount, rowSum, scoreOutput, zeroAbsent } from '../graph/masked.ts'
import type { Batch, Fitted, SeedlessDetector } from './types.ts'

export interface VarOptions {
  readonly ridge?: number
  readonly ewmaAlpha?: number
  /** How many of the largest residuals count. */
  readonly top?: number
  readonly clip?: number
  /** Smallest spread of a residual, in standardised units. */
  readonly residualFloor?: number
}

const LAGS = 3

export class FittedVar implements Fitted {
  readonly name = 'var'
  readonly inputs = ['rows', 'mask', 'ewma'] as const
  readonly tolerance = 1e-9
  readonly ewmaAlpha: number
  readonly top: number
  readonly clip: number
  /** [4d+1,d]: rows are lags 3, 2, 1, exponential mean, constant. */
  readonly coefficients: Float64Array
  /** [d]. */
  readonly residualScale: Float64Array

  constructor(coefficients: Float64Array, residualScale: Float64Array, ewmaAlpha: number, top: number, limit: number) {
    this.coefficients = coefficients
    this.residualScale = residualScale
    this.ewmaAlpha = ewmaAlpha
    this.top = Math.min(top, residualScale.length)
    this.clip = limit
  }

  score(batch: Batch): Float64Array {
    const { n, signals: d, mask } = batch
    const p = (LAGS + 1) * d + 1
    const x = new Float64Array(p)
    const residual = new Float64Array(d)
    const sorted = new Float64Array(d)
    const scores = new Float64Array(n)
    for (let i = 0; i < n; i++) {
      predictors(batch, i, this.clip, x)
      residualsOf(batch, i, this.clip, x, this.coefficients, residual)
      let present = 0
      for (let j = 0; j < d; j++) {
        const isPresent = mask[i * d + j] === 1
        if (isPresent) present++
        sorted[j] = isPresent ? Math.abs(residual[j] as number) / (this.residualScale[j] as number) : 0
      }
      sorted.sort()
      let sum = 0
      for (let k = 1; k <= this.top; k++) sum += sorted[d - k] as number
      scores[i] = sum / Math.max(1, Math.min(this.top, present))
    }
    return scores
  }

  toOnnx(): Uint8Array {
    const d = this.residualScale.length
    const p = (LAGS + 1) * d
    const g = new GraphBuilder('var', 'Mean of the largest residuals of a vector autoregression')
    const rows = g.input('rows', 'double', ['N', WINDOW_ROWS, d])
    const mask = g.input('mask', 'double', ['N', d])
    const ewma = g.input('ewma', 'double', ['N', d])
    const present = presence(g, mask)
    const clipped = clipNode(g, zeroAbsent(g, g.node('Unsqueeze', [present, g.int64([1])]), rows), this.clip)
    const from = WINDOW_ROWS - 1 - LAGS
    const lags = g.node('Slice', [clipped, g.int64([from]), g.int64([WINDOW_ROWS - 1]), g.int64([1])])
    const newest = g.node('Gather', [clipped, g.int64([WINDOW_ROWS - 1], [])], { axis: { int: 1 } })
    const state = clipNode(g, zeroAbsent(g, present, ewma), this.clip)
    const x = g.node('Concat', [g.node('Reshape', [lags, g.int64([0, LAGS * d])]), state], { axis: { int: 1 } })
    const weighted = g.node('MatMul', [x, g.double(this.coefficients.subarray(0, p * d), [p, d])])
    const predicted = g.node('Add', [weighted, g.double(this.coefficients.subarray(p * d))])
    const off = g.node('Abs', [g.node('Sub', [newest, predicted])])
    const residuals = zeroAbsent(g, present, g.node('Div', [off, g.double(this.residualScale)]))
    const largest = g.nodes('TopK', [residuals, g.int64([this.top])], 2, { axis: { int: 1 } })[0] as string
    const count = g.node('Min', [presentCount(g, mask), g.double([this.top], [])])
    scoreOutput(g, g.node('Div', [rowSum(g, largest), count]))
    return g.encode()
  }
}

/** Not named after the detector, because `var` is a word of the language. */
export function autoregression({
  ridge = 30,
  ewmaAlpha = 0.1,
  top = 5,
  clip: limit = ROW_CLIP,
  residualFloor = 0.2,
}: VarOptions = {}): SeedlessDetector<FittedVar> {
  return {
    name: 'var',
    fit(train) {
      const patterns = productsByPattern(train, ewmaAlpha, limit)
      const coefficients = solve(patterns, train.signals, ridge)
      const scale = residualSpread(patterns, coefficients, train.signals).map((std) => Math.max(std, residualFloor))
      return new FittedVar(coefficients, scale, ewmaAlpha, top, limit)
    },
  }
}

/** Predictors of row i of a batch: lags 3, 2, 1, exponential mean, 1. */
function predictors({ signals: d, rows, mask, ewma }: Batch, i: number, limit: number, out: Float64Array): void {
  const first = (i * WINDOW_ROWS + WINDOW_ROWS - 1 - LAGS) * d
  for (let j = 0; j < d; j++) {
    const present = mask[i * d + j] === 1
    for (let k = 0; k < LAGS; k++) out[k * d + j] = present ? clip(rows[first + k * d + j] as number, limit) : 0
    out[LAGS * d + j] = present ? clip(ewma[i * d + j] as number, limit) : 0
  }
  out[(LAGS + 1) * d] = 1
}

function residualsOf(
  { signals: d, rows }: Batch,
  i: number,
  limit: number,
  x: Float64Array,
  coefficients: Float64Array,
  out: Float64Array,
): void {
  const newest = (i * WINDOW_ROWS + WINDOW_ROWS - 1) * d
  for (let j = 0; j < d; j++) out[j] = clip(rows[newest + j] as number, limit)
  // Four predictors at a time: a residual is loaded and stored once for them.
  let k = 0
  for (; k + 4 <= x.length; k += 4) {
    const x0 = x[k] as number
    const x1 = x[k + 1] as number
    const x2 = x[k + 2] as number
    const x3 = x[k + 3] as number
    const at = k * d
    for (let j = 0; j < d; j++) {
      out[j] =
        (out[j] as number) -
        (x0 * (coefficients[at + j] as number) + x1 * (coefficients[at + d + j] as number)) -
        (x2 * (coefficients[at + 2 * d + j] as number) + x3 * (coefficients[at + 3 * d + j] as number))
    }
  }
  for (; k < x.length; k++) {
    const xk = x[k] as number
    for (let j = 0; j < d; j++) out[j] = (out[j] as number) - xk * (coefficients[k * d + j] as number)
  }
}

/** Of a stretch of time longer than this every second, third ... row counts, where all rows are so many times ENOUGH_ROWS. */
const LONG_ROWS = 4608
const ENOUGH_ROWS = 6144

/** Most patterns of presence that are fitted; rows of rarer ones are left out. */
const MAX_PATTERNS = 64

/** One pattern of presence: which signals, and the sums of products of [predictors, newest row] over its rows. */
interface Pattern {
  readonly present: readonly boolean[]
  readonly gram: Float64Array
}

/**
 * A signal is regressed on the rows in which it is present. Rows of one pattern of presence share their sums, so that
 * one pass serves all signals.
 */
function solve(patterns: readonly Pattern[], d: number, ridge: number): Float64Array {
  const p = (LAGS + 1) * d + 1
  const width = p + d
  const coefficients = new Float64Array(p * d)
  const groups = new Map<string, number[]>()
  for (let j = 0; j < d; j++) {
    const key = patterns.map(({ present }) => (present[j] ? '1' : '0')).join('')
    groups.set(key, [...(groups.get(key) ?? []), j])
  }
  for (const group of groups.values()) {
    const a = new Float64Array(p * p)
    const b = new Float64Array(p * group.length)
    for (let i = 0; i < p; i++) a[i * p + i] = ridge
    for (const { present, gram } of patterns) {
      if (!present[group[0] as number]) continue
      for (let i = 0; i < p; i++) {
        for (let k = i; k < p; k++) a[i * p + k] = (a[i * p + k] as number) + (gram[i * width + k] as number)
        for (const [c, j] of group.entries()) {
          b[i * group.length + c] = (b[i * group.length + c] as number) + (gram[i * width + p + j] as number)
        }
      }
    }
    mirror(a, p)
    const solved = solvePositive(a, b, p)
    for (let i = 0; i < p; i++) {
      for (const [c, j] of group.entries()) coefficients[i * d + j] = solved[i * group.length + c] as number
    }
  }
  return coefficients
}

function productsByPattern(train: TrainingSet, ewmaAlpha: number, limit: number): Pattern[] {
  const d = train.signals
  const p = (LAGS + 1) * d + 1
  const width = p + d
  const size = 512
  const patterns = new Map<string, Pattern & { readonly rows: Float64Array; held: number }>()
  const x = new Float64Array(p)
  const flush = (pattern: { gram: Float64Array; rows: Float64Array; held: number }) => {
    addGram(pattern.rows.subarray(0, pattern.held * width), width, pattern.gram)
    pattern.held = 0
  }
  const { keys, frequent } = patternsOf(train)
  const left = leftOut(train)
  let t = 0
  for (const batch of batchesOf(train, { ewmaAlpha, size })) {
    for (let i = 0; i < batch.n; i++) {
      const key = keys[t] as string
      if (left[t++] === 1 || !frequent.has(key)) continue
      let pattern = patterns.get(key)
      if (!pattern) {
        const present = Array.from({ length: d }, (_, j) => batch.mask[i * d + j] === 1)
        pattern = { present, gram: new Float64Array(width * width), rows: new Float64Array(size * width), held: 0 }
        patterns.set(key, pattern)
      }
      predictors(batch, i, limit, x)
      const to = pattern.held++ * width
      pattern.rows.set(x, to)
      const newest = (i * WINDOW_ROWS + WINDOW_ROWS - 1) * d
      for (let j = 0; j < d; j++) pattern.rows[to + p + j] = clip(batch.rows[newest + j] as number, limit)
      if (pattern.held === size) flush(pattern)
    }
  }
  for (const pattern of patterns.values()) flush(pattern)
  return [...patterns.values()]
}

/** 1 where a row is left out of the sums [n]. */
function leftOut({ signals: d, mask, segments }: TrainingSet): Uint8Array {
  const left = new Uint8Array(mask.length / d)
  const stride = Math.max(1, Math.floor(left.length / ENOUGH_ROWS))
  for (const { start, end } of segments) {
    if (end - start > LONG_ROWS) for (let t = start; t < end; t++) left[t] = Number((t - start) % stride !== 0)
  }
  return left
}

/** The pattern of presence of each row as text, and the most frequent ones. */
function patternsOf({ signals: d, mask }: TrainingSet): { keys: string[]; frequent: Set<string> } {
  const keys: string[] = []
  const counts = new Map<string, number>()
  for (let t = 0; t * d < mask.length; t++) {
    const at = t * d
    let same = t > 0
    for (let j = 0; same && j < d; j++) same = mask[at + j] === mask[at - d + j]
    const key = same ? (keys[t - 1] as string) : mask.subarray(at, at + d).join('')
    keys.push(key)
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  const order = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
  return { keys, frequent: new Set(order.slice(0, MAX_PATTERNS).map(([key]) => key)) }
}

/**
 * Standard deviation of each signal's residuals over the rows in which it is present [d], from the sums of products: with
 * w = (-b, 1 at the signal), residuals are w'z of z = [predictors, newest row], their squares w'Gw, and their sum is the
 * product with the constant predictor.
 */
function residualSpread(patterns: readonly Pattern[], coefficients: Float64Array, d: number): Float64Array {
  const p = (LAGS + 1) * d + 1
  const width = p + d
  const spread = new Float64Array(d)
  const w = new Float64Array(width)
  for (let j = 0; j < d; j++) {
    for (let i = 0; i < p; i++) w[i] = -(coefficients[i * d + j] as number)
    w.fill(0, p)
    w[p + j] = 1
    let [count, sum, squares] = [0, 0, 0]
    for (const { present, gram } of patterns) {
      if (!present[j]) continue
      count += gram[(p - 1) * width + p - 1] as number
      for (let a = 0; a < width; a++) {
        const wa = w[a] as number
        if (wa === 0) continue
        sum += wa * (gram[Math.min(a, p - 1) * width + Math.max(a, p - 1)] as number)
        let line = ((gram[a * width + a] as number) * wa) / 2
        for (let b = a + 1; b < width; b++) line += (gram[a * width + b] as number) * (w[b] as number)
        squares += 2 * wa * line
      }
    }
    const n = Math.max(1, count)
    spread[j] = Math.sqrt(Math.max(0, squares / n - (sum / n) ** 2))
  }
  return spread
}
