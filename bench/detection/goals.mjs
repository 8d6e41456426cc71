/** What the project wants to reach on machines that did not choose its settings, and what others have published. */
import { driftMeasures } from '../../training/dist/measures/index.js'
import { fixed, heading, mean, median, share, table, worst } from './table.mjs'

/**
 * `must`: below it the detection is not worth its name. `goal`: what is aimed at.
 * @typedef {{ must: number, goal: number, larger: boolean }} Goal larger = larger is better
 */
const atLeast = (must, goal) => ({ must, goal, larger: true })
const atMost = (must, goal) => ({ must, goal, larger: false })

export const GOALS = {
  vusPr: { SMD: atLeast(0.5, 0.62), ASD: atLeast(0.5, 0.65) },
  aucPr: atLeast(0.5, 0.58),
  bestF1: atLeast(0.52, 0.59),
  falsePositivesMean: atMost(0.02, 0.01),
  falsePositivesWorst: atMost(0.06, 0.035),
  eventRecall: atLeast(0.6, 0.74),
  delayMinutes: atMost(10, 7),
  falseEpisodesPerDay: atMost(1, 1),
  hit100: atLeast(0.7, 0.84),
  hit150: atLeast(0.8, 0.91),
  top3: atLeast(0.9, 0.96),
  nab: atLeast(45, 57),
  driftFound: atLeast(0.85, 0.95),
  driftDelayHours: atMost(36, 15),
  driftFalseAlarms: atMost(6, 2),
  fitSeconds: atMost(30, 5),
  fitAllSeconds: atMost(120, 60),
  microsecondsPerRow: atMost(1000, 100),
}

/** VUS-PR that a detector alone reaches at least, or it is a stub: SMD, ASD. */
export const ALONE = {
  local_outlier_factor: [0.25, 0.3],
  isolation_forest: [0.33, 0.27],
  autoencoder: [0.45, 0.5],
  convolution: [0.35, 0.4],
}

/** VUS-PR published with TSB-AD (Liu and Paparrizos, NeurIPS 2024). Other machines than those measured here. */
export const PUBLISHED = [
  {
    what: 'TSB-AD-M: 180 series of many kinds',
    values: [
      ['CNN', 0.313],
      ['PCA', 0.31],
      ['Isolation Forest', 0.203],
      ['LOF', 0.139],
    ],
  },
  {
    what: '13 series of SMD, as TSB-AD cuts them',
    values: [
      ['best of 23 methods, chosen for each file', 0.535],
      ['PCA', 0.397],
      ['CNN', 0.376],
      ['Isolation Forest', 0.279],
      ['LOF', 0.165],
    ],
  },
]

/** @returns {'goal met' | 'must met' | 'MISSED' | ''} */
function verdictOf(value, { must, goal, larger }) {
  if (value === null || Number.isNaN(value)) return ''
  const reaches = (wanted) => (larger ? value >= wanted : value <= wanted)
  return reaches(goal) ? 'goal met' : reaches(must) ? 'must met' : 'MISSED'
}

/**
 * Every goal that was measured, with what was found.
 * @param {{ machines?: object[], ablation?: object[], nab?: object, drift?: object[] }} results
 */
export function goalsOf({ machines, ablation, nab, drift }) {
  const rows = []
  const add = (what, value, goal, format) => rows.push({ what, value, goal, format, verdict: verdictOf(value, goal) })
  const sets = {
    SMD: machines?.filter((x) => x.set === 'SMD') ?? [],
    ASD: machines?.filter((x) => x.set === 'ASD') ?? [],
  }
  for (const [set, xs] of Object.entries(sets)) {
    if (xs.length > 0) add(`VUS-PR, ${set}`, mean(xs.map((x) => x.vusPr)), GOALS.vusPr[set], share)
  }
  const servers = sets.SMD
  if (servers.length > 0) {
    add('AUC-PR, SMD', mean(servers.map((x) => x.aucPr)), GOALS.aucPr, share)
    add('best F1, SMD', mean(servers.map((x) => x.bestF1)), GOALS.bestF1, share)
  }
  const atOnePercent = machines?.flatMap((x) => x.budgets.filter((b) => b.budget === 0.01)) ?? []
  if (atOnePercent.length > 0) {
    const rates = atOnePercent.map((x) => x.falsePositiveRate)
    add('false-positive rate at 1 %, mean', mean(rates), GOALS.falsePositivesMean, fixed(4))
    add('false-positive rate at 1 %, worst machine', worst(rates), GOALS.falsePositivesWorst, fixed(4))
  }
  if (servers.length > 0) {
    add('event recall, SMD', mean(servers.map((x) => x.alarms.eventRecall)), GOALS.eventRecall, share)
    const delays = servers.flatMap((x) => x.alarms.delays.map((rows) => rows * x.minutesPerRow))
    add('delay of all found events, SMD, median minutes', median(delays), GOALS.delayMinutes, fixed(1))
    add(
      'false episodes a host-day, SMD',
      mean(servers.map((x) => x.alarms.falseEpisodesPerDay)),
      GOALS.falseEpisodesPerDay,
      fixed(2),
    )
    const told = servers.filter((x) => x.explanation.events > 0)
    for (const [key, what] of [
      ['hit100', 'HitRate@100 %, SMD'],
      ['hit150', 'HitRate@150 %, SMD'],
      ['top3', 'top-3, SMD'],
    ]) {
      if (told.length > 0) add(what, mean(told.map((x) => x.explanation[key])), GOALS[key], share)
    }
  }
  if (nab) add('NAB standard score, refractory rule', nab.headline, GOALS.nab, fixed(1))
  if (drift) {
    const { found, delayMedianHours, falseAlarmsPerMonth } = driftMeasures(drift.flatMap((x) => x.trials))
    add('drifts found within three days', found, GOALS.driftFound, share)
    add('delay of a drift, median hours', delayMedianHours, GOALS.driftDelayHours, fixed(1))
    add('false drift alarms a month', falseAlarmsPerMonth, GOALS.driftFalseAlarms, fixed(1))
  }
  // Wall time says as much of who else uses the machine.
  const cost = (x) => x.fitCpuSeconds ?? x.fitSeconds
  if (servers.length > 0) {
    add('fit of 16 days x 38 signals, CPU s', mean(servers.map(cost)), GOALS.fitSeconds, fixed(1))
  }
  const allServers = ablation?.filter((x) => x.set === 'SMD') ?? []
  if (allServers.length > 0) {
    add('the same with all detectors, CPU s', mean(allServers.map(cost)), GOALS.fitAllSeconds, fixed(1))
  }
  if (servers.length > 0) {
    const us = mean(servers.map((x) => x.microsecondsPerRow))
    add('score and explain a row of 38 signals, us', us, GOALS.microsecondsPerRow, fixed(0))
  }
  return rows
}

export function goalsText(goals) {
  return [
    heading('Goals, set for machines that chose no setting'),
    table(
      ['measure', 'here', 'goal', 'must', ''],
      goals.map(({ what, value, goal, format, verdict }) => {
        const sign = goal.larger ? '>=' : '<='
        return [what, format(value), `${sign} ${format(goal.goal)}`, `${sign} ${format(goal.must)}`, verdict]
      }),
    ),
  ].join('\n')
}
