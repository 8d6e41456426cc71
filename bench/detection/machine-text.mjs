/** What was measured on the machines, in tables; every measure with its definition. */
import { fixed, heading, mean, nameOf, notes, share, table, withMeans, worst } from './table.mjs'

const seconds = fixed(1)

export function machinesText(results, { margin }) {
  const parts = []
  const ranks = [(x) => x.vusPr, (x) => x.vusRoc, (x) => x.aucPr, (x) => x.aucRoc, (x) => x.bestF1]
  parts.push(
    heading('Ranking: the column score'),
    table(
      ['machine', 'rows', 'events', 'W', 'VUS-PR', 'VUS-ROC', 'AUC-PR', 'AUC-ROC', 'best F1'],
      withMeans(
        results,
        (x) => [nameOf(x), x.rows, x.events, x.buffer].map(String).concat(ranks.map((of) => share(of(x)))),
        (xs) => ['', '', '', ...ranks.map((of) => share(mean(xs.map(of))))],
      ),
    ),
    notes([
      'VUS-PR, VUS-ROC  areas under precision-recall and ROC curve, averaged over buffers of 0 to W rows around the events;',
      '                 W: period of the first signal by its autocorrelation, 125 where there is none (TSB-AD, opt)',
      'AUC-PR           average precision: precision at each threshold weighted by the recall it gains',
      'AUC-ROC          share of pairs of an anomalous and a normal row in the right order',
      'best F1          row by row, at the best threshold, without point adjustment',
    ]),
  )

  const budgets = results[0].budgets.map((x) => x.budget)
  const rates = (x) => x.budgets.map((b) => b.falsePositiveRate)
  const found = [
    (x) => x.alarms.falsePositiveRate,
    (x) => x.alarms.precision,
    (x) => x.alarms.recall,
    (x) => x.alarms.eventRecall,
  ]
  const inMinutes = (x, rows) => (rows === null ? null : rows * x.minutesPerRow)
  const delays = [
    (x) => inMinutes(x, x.alarms.delayMedian),
    (x) => inMinutes(x, x.alarms.delayP90),
    (x) => x.alarms.falseEpisodesPerDay,
  ]
  parts.push(
    heading('Alarms: the column alarm'),
    table(
      [
        'machine',
        ...budgets.map((b) => `FPR at ${Number((100 * b).toPrecision(3))} %`),
        'FPR',
        'precision',
        'recall',
        'event recall',
        'delay min',
        'p90',
        'false/day',
      ],
      [
        ...withMeans(
          results,
          (x) => [
            nameOf(x),
            ...rates(x).map(fixed(4)),
            fixed(4)(found[0](x)),
            ...found.slice(1).map((of) => share(of(x))),
            ...delays.map((of) => fixed(of === delays[2] ? 2 : 1)(of(x))),
          ],
          (xs) => [
            ...budgets.map((_, k) => fixed(4)(mean(xs.map((x) => rates(x)[k])))),
            fixed(4)(mean(xs.map(found[0]))),
            ...found.slice(1).map((of) => share(mean(xs.map(of)))),
            ...delays.map((of) => fixed(of === delays[2] ? 2 : 1)(mean(xs.map(of)))),
          ],
        ),
        [
          'worst',
          ...budgets.map((_, k) => fixed(4)(worst(results.map((x) => rates(x)[k])))),
          fixed(4)(worst(results.map(found[0]))),
        ],
      ],
    ),
    notes([
      `FPR at B      share of rows in alarm at --budget B, of normal rows more than ${margin} rows away from any event`,
      'the others    at the default budget:',
      'precision     share of the rows in alarm that are labelled; recall: share of the labelled rows in alarm',
      'event recall  share of the events with at least one row in alarm',
      'delay min, p90  minutes from the start of a found event to its first row in alarm: median and 90 % quantile',
      'false/day     runs of alarm wholly outside of events and margins, a day',
    ]),
  )

  const told = results.filter((x) => x.explanation.events > 0)
  const hits = ['hit100', 'hit150', 'top1', 'top3']
  const early = (x) => [x.explanationAtAlarm.hit100, x.explanationAtAlarm.hit150, x.explanationAtAlarm.top3]
  if (told.length > 0) {
    parts.push(
      heading('Explanation: the attributions'),
      table(
        [
          'machine',
          'events',
          'Hit@100',
          'Hit@150',
          'top-1',
          'top-3',
          '| at alarm: events',
          'Hit@100',
          'Hit@150',
          'top-3',
        ],
        withMeans(
          told,
          (x) => [
            nameOf(x),
            String(x.explanation.events),
            ...hits.map((k) => share(x.explanation[k])),
            String(x.explanationAtAlarm.events),
            ...early(x).map(share),
          ],
          (xs) => [
            '',
            ...hits.map((k) => share(mean(xs.map((x) => x.explanation[k])))),
            '',
            ...[0, 1, 2].map((k) => share(mean(xs.map((x) => early(x)[k])))),
          ],
        ),
      ),
      notes([
        "Hit@P     share of the signals G that are labelled as an event's cause among the first floor(P % of |G|) when signals are",
        "          ranked by their mean attribution over the event's rows; mean over the events",
        'top-k     share of the events with a labelled signal among the first k',
        'at alarm  the same over the first five rows from the first alarm on; events that were found',
      ]),
    )
  }

  const costs = [(x) => x.fitSeconds, (x) => x.fitCpuSeconds]
  parts.push(
    heading('Cost'),
    table(
      ['machine', 'fit s', 'CPU s', 'us a row'],
      withMeans(
        results,
        (x) => [
          nameOf(x) + (x.fitReused ? ' (bundle of before)' : ''),
          ...costs.map((of) => seconds(of(x))),
          fixed(0)(x.microsecondsPerRow),
        ],
        (xs) => [...costs.map((of) => seconds(mean(xs.map(of)))), fixed(0)(mean(xs.map((x) => x.microsecondsPerRow)))],
      ),
    ),
    notes([
      'fit s     wall time of portent train with its default detectors, calibration and report, two at a time; CPU s: of all threads',
      'us a row  CPU time of scoring with primary SHAP, reading and writing of files apart',
    ]),
  )
  return parts.join('\n')
}
