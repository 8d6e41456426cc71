/** One machine of SMD or ASD through the commands, and every measure of what they wrote. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseCsv } from '../../core/dist/index.js'
import { readBundle } from '../../exporter/dist/bundle/files.js'
import { OnnxModel } from '../../exporter/dist/detect/model.js'
import { replay, rowsOf } from '../../exporter/dist/replay/index.js'
import {
  alarmMeasures,
  averagePrecisionOf,
  bestF1Of,
  explanationMeasures,
  operatingPoints,
  periodOf,
  rocAreaOf,
  rowsAtAlarm,
  volumeUnderSurface,
} from '../../training/dist/measures/index.js'
import { interpretationOf, labelsOf, numbersOf, sizeOf } from './data.mjs'
import { portent } from './portent.mjs'

/**
 * @param {{ machine: import('./data.mjs').Machine, work: string, budgets: number[], margin: number }} job
 * @param {import('./portent.mjs').Fit} fit
 */
export async function measured({ machine, work, budgets, margin }, fit) {
  const { folder, interval, rowsPerDay } = machine
  const test = join(folder, 'test.csv')
  const scores = join(work, 'scores.csv')
  const attributions = join(work, 'attributions.csv')
  const score = (out, ...flags) => {
    portent('score', '--bundle', fit.bundle, '--data', test, '--interval', interval, '--out', out, ...flags)
    return numbersOf(out)
  }

  const labels = labelsOf(machine)
  const alarms = (table) => alarmMeasures(table.column('alarm'), labels, { margin, rowsPerDay })
  const table = score(scores, '--attributions', attributions)
  const explained = numbersOf(attributions)
  const shap = attributionsOf(explained)
  const events = interpretationOf(machine, labels)
  const alarm = table.column('alarm')
  const buffer = bufferOf(test)
  const points = operatingPoints(table.column('score'), labels)
  const { roc, pr } = volumeUnderSurface(table.column('score'), labels, buffer)
  return {
    set: machine.set,
    machine: machine.name,
    ...sizeOf(labels, rowsPerDay),
    minutesPerRow: interval / 60,
    buffer,
    vusPr: pr,
    vusRoc: roc,
    aucPr: averagePrecisionOf(points),
    aucRoc: rocAreaOf(points),
    bestF1: bestF1Of(points).f1,
    alarms: alarms(table),
    budgets: budgets.map((budget) => ({
      budget,
      ...alarms(score(join(work, `scores-${budget}.csv`), '--budget', budget)),
    })),
    explanation: explanationMeasures(shap, events),
    explanationAtAlarm: explanationMeasures(shap, events, (event) => rowsAtAlarm(alarm, event)),
    fitSeconds: fit.seconds,
    fitCpuSeconds: fit.cpuSeconds,
    fitReused: fit.reused,
    microsecondsPerRow: await microsecondsPerRow(fit.bundle, test, interval),
  }
}

/** Of the first column, as the published figures take it. */
export function bufferOf(file) {
  const table = numbersOf(file)
  return periodOf(table.column(table.columns[0]))
}

/** The columns in the order of the test file, whose numbers the labels use. */
function attributionsOf({ columns, values, rows }) {
  const width = columns.length
  return { values: values.subarray(0, rows * width), width }
}

/** Scoring and primary SHAP of the recording in this process, files and loading apart. */
async function microsecondsPerRow(bundle, file, interval) {
  const model = await OnnxModel.load(await readBundle(bundle))
  try {
    const table = parseCsv(readFileSync(file, 'utf8'))
    const rows = [...rowsOf(table, interval)]
    const warm = rows.slice(0, 2048)
    for await (const _ of replay(model, warm));
    const before = process.cpuUsage()
    for await (const _ of replay(model, rows));
    const { user, system } = process.cpuUsage(before)
    return (user + system) / rows.length
  } finally {
    await model.release()
  }
}
