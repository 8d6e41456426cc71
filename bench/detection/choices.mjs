/** Choices of detectors, compared over machines. */
import { pairedDifference } from '../../training/dist/measures/index.js'

const KINDS = ['mix', 'only', 'alone', 'without', 'with', 'equal']

/**
 * Those that every machine has (bundles of before may know other detectors), by kind; the mix comes first.
 * @param {readonly { subsets: { kind: string, detector: string | null, vusPr: number }[] }[]} ablation by machine
 */
export function choicesOf(ablation) {
  const vusPrOf = ({ subsets }, { kind, detector }) =>
    subsets.find((x) => x.kind === kind && x.detector === detector)?.vusPr
  const mixes = ablation.map((x) => x.subsets[0].vusPr)
  return ablation[0].subsets
    .map(({ kind, detector }) => {
      const values = ablation.map((x) => vusPrOf(x, { kind, detector }))
      const difference = kind === 'mix' || values.includes(undefined) ? null : pairedDifference(values, mixes)
      return { kind, detector, values, difference }
    })
    .filter(({ values }) => !values.includes(undefined))
    .sort((a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind))
}

export function labelOf({ kind, detector }) {
  if (kind === 'mix') return 'the mix'
  if (kind === 'equal') return 'all, weighed alike'
  return kind === 'alone' ? `${detector} alone` : `${kind} ${detector}`
}
