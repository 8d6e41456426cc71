/**
 * How well it is told when a resource runs out: false minutes, lead times, calibration of the intervals, beside the rules in common
 * use. Prints tables and always succeeds: a benchmark is not a test.
 */
import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { outcomeOfSeries, summaryOfSeries, TIME_LEFT } from '../../training/dist/measures/exhaustion.js'
import { fixed, heading, notes, share, table } from '../detection/table.mjs'
import { seriesOfFolder, seriesOfSimulator } from './data.mjs'
import { replay } from './replay.mjs'
import { RULES } from './rules.mjs'

const HELP = `Usage: npm run bench:exhaustion [-- FLAGS]

Without --data: simulated series of every family, by other seeds than those the intervals were fitted on.
  --data DIR     a folder of recordings: meta.json, truth.json and one CSV file a series (bench/exhaustion/data.mjs says what is in them)
  --each N       simulated series a family (default 4)
  --seed TEXT    of the simulated series (default bench)
  --families     a line for every family
  --json FILE    every figure
`
const { values: options } = parseArgs({
  options: {
    data: { type: 'string' },
    each: { type: 'string', default: '4' },
    seed: { type: 'string', default: 'bench' },
    families: { type: 'boolean', default: false },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
if (options.help) console.log(HELP)
else main()

function main() {
  const series = options.data
    ? seriesOfFolder(resolve(options.data))
    : seriesOfSimulator(Number(options.each), options.seed)
  const portent = []
  const rules = RULES.map(() => [])
  let [rows, milliseconds, days] = [0, 0, 0]
  for (const one of series) {
    const started = performance.now()
    const predictions = replay(one)
    milliseconds += performance.now() - started
    rows += one.at.length
    days += (one.truth.end - one.truth.start) / 86_400
    portent.push(outcomeOfSeries(one.truth, predictions))
    RULES.forEach(({ alert }, k) => {
      rules[k].push(outcomeOfSeries(one.truth, alert(one)))
    })
  }
  const summary = summaryOfSeries(portent)
  const others = rules.map(summaryOfSeries)
  console.log(
    heading(`Time to exhaustion: ${portent.length} series, ${Math.round(days)} days, ${options.data ?? 'simulated'}`),
  )
  console.log(alertTable(summary, others))
  console.log(
    notes([
      'false: minutes a day on healthy series, on those of them that nobody could have told from failing ones, on the others, and on',
      'failing ones before their onset and after their cure. half: caught with half of the time left (of at most a day, or an hour);',
      'sustained: and the alert stood from there to the end. lead: median hours, first and sustained. off: minutes from a cure until',
      'the alert went off, median and most.',
    ]),
  )
  console.log(heading('80 % intervals by the time that was left'))
  console.log(
    table(
      ['time left', 'covered', 'given', 'series'],
      TIME_LEFT.flatMap(({ name }) => {
        const cell = summary.coverage[name]
        return cell ? [[name, share(cell.covered), share(cell.given), String(cell.series)]] : []
      }),
    ),
  )
  console.log(
    notes([
      `mean ${share(summary.coverageAll)}; error of the median at 25, 50, 75 % of the run-up, of the time left: ${summary.errors.map(share).join(', ')}`,
    ]),
  )
  if (options.families) console.log(heading('By family, first rule'), `\n${familyTable(portent)}`)
  console.log(
    heading(
      `Cost: ${fixed(1)((1000 * milliseconds) / rows)} us a row with a prediction every five minutes, ${fixed(0)((14 * milliseconds) / days)} ms for 14 days of one series`,
    ),
  )
  if (options.json)
    writeFileSync(
      options.json,
      `${JSON.stringify({ portent: summary, rules: others.map((x, k) => ({ name: RULES[k].name, ...x })), series: portent }, null, 1)}\n`,
    )
}

function alertTable(summary, others) {
  const row = (name, rule) => [
    name,
    fixed(1)(rule.falseHealthy),
    fixed(1)(rule.falseAmbiguous),
    fixed(1)(rule.falsePlain),
    fixed(1)(rule.falseFailing),
    `${rule.detected}/${rule.failing}`,
    share(rule.half),
    share(rule.halfSustained),
    fixed(1)(rule.lead),
    fixed(1)(rule.sustainedLead),
    rule.cured > 0 ? `${fixed(0)(rule.withdrawalMedian)}/${fixed(0)(rule.withdrawalMax)}` : '-',
  ]
  return table(
    ['alert', 'false', 'unclear', 'others', 'failing', 'caught', 'half', 'sustained', 'lead', 'sust.', 'off'],
    [
      row('portent: 10 % within 24 h for 15 m', summary.rules.lower),
      row('portent: median within 24 h for 15 m', summary.rules.median),
      row('portent: median within 1 h for 5 m', summary.rules.urgent),
      null,
      ...others.map((x, k) => row(RULES[k].name, x.rules.alert)),
    ],
  )
}

function familyTable(outcomes) {
  const families = [...new Set(outcomes.map((x) => x.truth.family))]
  const list = (values, digits) => values.map(fixed(digits)).join(' ')
  return table(
    ['family', 'false a day', 'lead, h', 'sustained, h', 'available, h'],
    families.map((family) => {
      const rules = outcomes.filter((x) => x.truth.family === family).map((x) => x.rules.lower)
      const ended = rules.filter((x) => x.available !== undefined)
      return [
        family,
        list(
          rules.map((x) => (x.days > 0 ? x.falseMinutes / x.days : null)),
          0,
        ),
        list(
          ended.map((x) => x.lead),
          1,
        ),
        list(
          ended.map((x) => x.sustainedLead),
          1,
        ),
        list(
          ended.map((x) => x.available),
          1,
        ),
      ]
    }),
    { left: 5 },
  )
}
