/**
 * How good forecasts are: pinball loss against the naive interval, coverage, which model wins, and what each costs and
 * achieves alone. A benchmark is not a test: it prints and succeeds.
 */
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { fixed, mean, median, share, table } from '../detection/table.mjs'
import { GOALS, seriesOf } from './data.mjs'
import { replay, replayNaive, spreadOf } from './run.mjs'

const HELP = `Usage: npm run bench:forecast [-- FLAGS]

  --data DIR    folders SMD/, ASD/, NAB/ as their publishers lay them out, or meta.json with series/ and hosts/;
                without it: generated hosts and resources
  --only NAME   a set (SMD, ASD, NAB, hosts, series), a machine or a series; repeat it for more
  --every N     one series in N (default 1)
  --alone       each model alone, too (always without --data)
  --seed TEXT   of what is generated (default portent)
  --json FILE   every figure
`
const MODELS = ['ses', 'holt', 'autoregression', 'profile', 'seasonal_trend']
const FLAGS = {
  data: { type: 'string' },
  only: { type: 'string', multiple: true, default: [] },
  every: { type: 'string', default: '1' },
  alone: { type: 'boolean', default: false },
  seed: { type: 'string', default: 'portent' },
  json: { type: 'string' },
  help: { type: 'boolean', default: false },
}

try {
  const { values: flags } = parseArgs({ options: FLAGS })
  if (flags.help) console.log(HELP)
  else main(flags)
} catch (error) {
  console.error(`bench:forecast: ${error.message}\n\n${HELP}`)
  process.exitCode = 2
}

function main({ data, only, every, seed, json, ...flags }) {
  const began = performance.now()
  const alone = flags.alone || data === undefined
  const results = []
  for (const series of seriesOf({ data, only, seed, every: Math.max(1, Number(every) || 1) })) {
    const unit = spreadOf(series.values) + 1e-9
    results.push({
      ...{ set: series.set, name: series.name, horizons: series.horizons, unit, naive: replayNaive(series) },
      all: replay(series),
      alone: alone
        ? Object.fromEntries(['naive', ...MODELS].map((name) => [name, replay(series, [name]).measures]))
        : null,
    })
    const at = ((performance.now() - began) / 1000).toFixed(0)
    process.stderr.write(`${at.padStart(5)} s  ${results.length}  ${series.set} ${series.name}\n`)
  }
  if (results.length === 0) throw new Error(`nothing to measure in ${data}`)
  const rows = rungsOf(results)
  console.log(
    `Node ${process.versions.node}, ${cpus()[0]?.model}${data === undefined ? '; all series are generated' : ''}`,
  )
  console.log(
    `\nPinball loss (.1 .5 .9) against the last value with quantiles of its changes of 3 days; 80 % intervals\n`,
  )
  console.log(qualityText(rows))
  if (alone) console.log(`\nThe same ratio, each model alone and all together\n\n${aloneText(rows)}`)
  console.log(`\nShare of forecasts in which a model weighs most\n\n${winsText(rows)}`)
  console.log(`\n${timeText(results)}`)
  if (json) writeFileSync(json, `${JSON.stringify(results, null, 1)}\n`)
}

/** Results by set and horizon. A series that naive forecasts without loss says nothing. */
function rungsOf(results) {
  const keys = [...new Set(results.flatMap(({ set, horizons }) => horizons.map((h) => `${set} ${h}`)))]
  return keys.map((key) => {
    const [set, horizon] = [key.split(' ')[0], Number(key.split(' ')[1])]
    const cases = results
      .filter((x) => x.set === set)
      .map((x) => ({ ...x, at: x.horizons.indexOf(horizon) }))
      .filter(({ naive, at }) => naive[at].forecasts > 0 && naive[at].pinball > 0)
    return { set, horizon, cases }
  })
}

function lossOf(cases, measuresOf) {
  return mean(cases.map((x) => measuresOf(x)[x.at].pinball / x.unit))
}

function ratioOf(cases, measuresOf) {
  return lossOf(cases, measuresOf) / lossOf(cases, (x) => x.naive)
}

function label({ set, horizon }) {
  return `${set} ${horizon % 3600 === 0 ? `${horizon / 3600} h` : `${horizon / 60} min`}`
}

function qualityText(rows) {
  const header = ['', 'series', 'ratio', 'goal', 'median', 'better on', 'coverage', 'below', 'above', 'naive cov.']
  const cells = rows.map(({ set, horizon, cases }) => {
    const ratios = cases.map((x) => x.all.measures[x.at].pinball / x.naive[x.at].pinball)
    const of = (key) => share(mean(cases.map((x) => x.all.measures[x.at][key])))
    return [
      label({ set, horizon }),
      String(cases.length),
      share(ratioOf(cases, (x) => x.all.measures)),
      share(GOALS[set]?.[horizon]),
      share(median(ratios)),
      share(ratios.filter((r) => r < 1).length / ratios.length),
      of('coverage'),
      of('below'),
      of('above'),
      share(mean(cases.map((x) => x.naive[x.at].coverage))),
    ]
  })
  return table(header, cells)
}

function aloneText(rows) {
  const names = ['naive', ...MODELS]
  return table(
    ['', ...names, 'together'],
    rows.map(({ set, horizon, cases }) => [
      label({ set, horizon }),
      ...names.map((name) => share(ratioOf(cases, (x) => x.alone[name]))),
      share(ratioOf(cases, (x) => x.all.measures)),
    ]),
  )
}

function winsText(rows) {
  const names = ['naive', ...MODELS]
  return table(
    ['', ...names],
    rows.map(({ set, horizon, cases }) => {
      const sum = (name) => cases.reduce((n, x) => n + (x.all.wins[x.at][name] ?? 0), 0)
      const total = names.reduce((n, name) => n + sum(name), 0)
      return [label({ set, horizon }), ...names.map((name) => share(sum(name) / total))]
    }),
  )
}

function timeText(results) {
  const sum = (key) => results.reduce((n, x) => n + x.all.time[key], 0)
  const total = (sum('push') + sum('refit') + sum('forecast')) / results.length
  return [
    `push ${fixed(1)((1000 * sum('push')) / sum('pushes'))} us, refit ${fixed(1)(sum('refit') / sum('refits'))} ms`,
    `(${fixed(0)(sum('refits') / results.length)} a series), forecast ${fixed(1)((1000 * sum('forecast')) / sum('forecasts'))} us;`,
    `a series ${fixed(0)(total)} ms in all`,
  ].join(' ')
}
