/** The results beside those of the machines, in words and tables; every measure with its definition. */
import { driftMeasures } from '../../training/dist/measures/index.js'
import { choicesOf, labelOf } from './choices.mjs'
import { ALONE, PUBLISHED } from './goals.mjs'
import { fixed, heading, mean, nameOf, notes, share, signed, table, worst } from './table.mjs'

const seconds = fixed(1)

export function ablationText(results) {
  const choices = choicesOf(results)
  const sets = [...new Set(results.map((x) => x.set))]
  const ofSet = (set, values) => values.filter((_, k) => results[k].set === set)
  const rowOf = ({ kind, detector, values, difference }) => [
    labelOf({ kind, detector }),
    ...sets.map((set) => share(mean(ofSet(set, values)))),
    share(mean(values)),
    ...(difference ? [withError(difference), `${difference.better} of ${difference.pairs}`] : ['', '']),
    kind === 'alone' && ALONE[detector] ? ALONE[detector].map(share).join(' / ') : '',
  ]
  const rows = choices.flatMap((choice, k) => {
    const isNewKind = k > 0 && choice.kind !== choices[k - 1].kind
    return [...(isNewKind ? [null] : []), rowOf(choice)]
  })
  const fits = results.map((x) => x.fitSeconds)
  return [
    heading('Ablation: VUS-PR of other choices of detectors'),
    table(['detectors', ...sets, 'mean', 'less the mix', 'better on', 'at least'], rows),
    notes([
      'fitted once with --detectors all; what the ensemble was given for each row is combined anew for each choice',
      'less the mix  mean of the differences from the mix on the same machine, +- its standard error',
      'at least      SMD / ASD, what the detector alone must reach, or it is a stub',
      `fit of all    ${seconds(mean(fits))} s a machine, slowest ${seconds(worst(fits))} s`,
    ]),
    heading('Ablation: VUS-PR of each machine'),
    table(
      ['detectors', ...results.map(({ machine }) => machine.replace('machine-', ''))],
      choices.map((choice) => [labelOf(choice), ...choice.values.map(share)]),
    ),
  ].join('\n')
}

function withError({ mean: difference, standardError }) {
  return Number.isNaN(standardError) ? signed(difference) : `${signed(difference)} +- ${share(standardError)}`
}

export function publishedText() {
  return [
    heading('Published VUS-PR, for comparison: OTHER machines, so no difference is a proof'),
    PUBLISHED.map(({ what, values }) =>
      table(
        [what, 'VUS-PR'],
        values.map(([name, value]) => [name, share(value)]),
      ),
    ).join('\n\n'),
  ].join('\n')
}

/** @param {ReturnType<import('./nab-score.mjs').nabScores>} nab */
export function nabText({ variants, series, folders }) {
  const refractories = [...new Set(variants.map((x) => x.share))]
  const columns = [...new Set(variants.map((x) => x.column))]
  const problems = series.filter((x) => x.refused || x.notes.length > 0)
  return [
    heading(`Numenta Anomaly Benchmark: standard score of ${series.length} series`),
    table(
      ['column', ...refractories.map((s) => (s === 0 ? 'every row counts' : `highest of the last ${100 * s} %`))],
      columns.map((column) => [
        column,
        ...refractories.map((s) => fixed(1)(variants.find((x) => x.column === column && x.share === s).score)),
      ]),
    ),
    `\n  by folder, ${folders.column}, highest of the last ${100 * folders.share} %:`,
    table(
      ['folder', 'series', 'windows', 'found', 'false rows', 'points'],
      folders.rows.map((x) => [
        x.folder,
        ...[x.series, x.windows, x.found, x.falsePositives].map(String),
        `${fixed(1)(x.points)} of ${fixed(1)(x.most)}`,
      ]),
    ),
    notes([
      'standard score  a window counts up to 1, less the later its best row lies, -1 where it is missed; a false row costs up to',
      '                0.11; 0 = silence, 100 = every window at its start; the best single threshold over all series',
      'highest of ...  refractory rule: a row counts only if its score is the highest of so many of the latest rows',
      'points          what the folder adds to the score',
      'fitted on the rows that do not count, the first 15 %, at most 750',
    ]),
    ...problems.map(
      (x) =>
        `  ${x.name}: ${[...(x.refused ? [`not scored, its windows count as missed: ${x.refused}`] : []), ...x.notes].join('; ')}`,
    ),
  ].join('\n')
}

export function driftText(results) {
  const row = (what, trials) => {
    const { found, delayMedianHours, falseAlarmsPerMonth } = driftMeasures(trials)
    return [what, String(trials.length), share(found), fixed(1)(delayMedianHours), fixed(1)(falseAlarmsPerMonth)]
  }
  const trials = (xs) => xs.flatMap((x) => x.trials)
  return [
    heading('Drift: 30 % of the signals shift by two training spreads'),
    table(
      ['machine', 'trials', 'found', 'delay h', 'false a month'],
      [
        ...results.map((x) => row(nameOf(x), x.trials)),
        null,
        ...['SMD', 'ASD']
          .map((set) => [set, trials(results.filter((x) => x.set === set))])
          .filter(([, all]) => all.length > 0)
          .map(([set, all]) => row(set, all)),
        row('all', trials(results)),
      ],
    ),
    notes([
      'labelled rows are cut out; the shift comes at a random time in the second half, up or down, and stays',
      'found          the column drift begins to say 1 within three days of the shift; delay h: the median hours it took',
      'false a month  beginnings before the shift, in 30 days',
    ]),
  ].join('\n')
}
