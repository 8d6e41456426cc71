/** What `portent train` does with its flags; the file that is started only passes the streams in. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readFailurePart } from '../bundle/failure.ts'
import { readRecordings } from '../bundle/recorded.ts'
import { makeShippedBundle } from '../bundle/shipped.ts'
import { type BundleParts, bundleFiles, writeBundle } from '../bundle/write.ts'
import { readTrainingCsv } from '../csv.ts'
import { InputError, type TrainingInput } from '../input.ts'
import { type Report, reportHtml } from '../report/index.ts'
import { readHistory } from '../sources/history.ts'
import { readPrometheus } from '../sources/prometheus.ts'
import { chooseDetectors, train } from '../train.ts'
import { type Progress, progressOn, type Screen } from './progress.ts'
import { HELP, readTrainFlags, type TrainFlags, UsageError } from './train-flags.ts'

const DAYS = 7
const INTERVAL = 60
const SIMULATED_INTERVAL = 10

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export interface TrainIo {
  readonly out: Screen
  readonly progress: Screen
  /** The shipped bundle, whose failure model a host's own bundle takes over. */
  readonly shipped?: string
}

/** Resolves with the exit code. */
export async function trainCommand(args: readonly string[], io: TrainIo): Promise<number> {
  const progress = progressOn(io.progress)
  try {
    const flags = readTrainFlags(args)
    if (flags === null) {
      io.out.write(HELP)
      return 0
    }
    if (flags.from !== 'simulator') usable(flags.detectors)
    await run(flags, io, progress)
    return 0
  } catch (error) {
    progress.end()
    if (error instanceof UsageError) {
      io.progress.write(`portent train: ${error.message}: see portent train --help\n`)
      return 2
    }
    if (!(error instanceof Error)) throw error
    io.progress.write(`portent train: ${error.message}\n`)
    return 1
  }
}

function usable(detectors: string): void {
  try {
    chooseDetectors(detectors)
  } catch (error) {
    throw new UsageError(`--detectors: ${(error as Error).message}`, { cause: error })
  }
}

type Made = Omit<Report, 'version' | 'manifest'> & { readonly parts: BundleParts }

async function run(flags: TrainFlags, { out, shipped }: TrainIo, progress: Progress): Promise<void> {
  const started = performance.now()
  const folder = resolve(flags.out)
  expectReplaceable(folder, flags.out)
  const made = flags.from === 'simulator' ? fromSimulator(flags, progress) : await fromRows(flags, progress, shipped)
  const files = bundleFiles(made.parts)
  const manifest = JSON.parse(new TextDecoder().decode(files.get('manifest.json'))) as BundleParts['manifest']
  const html = new TextEncoder().encode(reportHtml({ ...made, manifest, version: manifest.version }))
  const inside = flags.report === null
  const seconds = () => Math.round((performance.now() - started) / 100) / 10
  await writeBundle(folder, inside ? new Map([...files, ['report.html', html]]) : files, {
    trained_at: new Date().toISOString(),
    seconds: seconds(),
    node: process.version,
  })
  if (flags.report !== null) await writeWhole(resolve(flags.report), html)
  progress.end()
  const bytes = [...files.values()].reduce((sum, x) => sum + x.length, 0)
  out.write(tableOf(made, manifest))
  out.write(
    `wrote ${flags.out}: version ${manifest.version}, ${files.size} files, ${(bytes / 1e6).toFixed(2)} MB, ${seconds()} s\n` +
      `report: ${flags.report ?? join(flags.out, 'report.html')}\n`,
  )
}

async function fromRows(
  flags: TrainFlags,
  progress: Progress,
  shipped = here('../../../exporter/bundle'),
): Promise<Made> {
  const input = await read(flags, progress)
  const trained = await train(input, {
    name: flags.name ?? basename(resolve(flags.out)),
    seed: flags.seed,
    detectors: flags.detectors,
    failure: readFailurePart(shipped),
    progress: (done, steps, what) => progress.step(done, steps, what),
  })
  for (const note of trained.notes) progress.say(`note: ${note}`)
  return trained
}

async function read(flags: TrainFlags, progress: Progress): Promise<TrainingInput> {
  const { input, intervalSeconds, days } = flags
  switch (flags.from) {
    case 'history':
      return readHistory({ file: input, target: flags.target, days: days ?? DAYS, intervalSeconds })
    case 'prometheus':
      return readPrometheus({
        url: input,
        instance: flags.instance,
        days: days ?? DAYS,
        intervalSeconds: intervalSeconds ?? INTERVAL,
        now: Date.now(),
        progress: (done, steps, what) => progress.step(done, steps, what),
      })
    default:
      return readTrainingCsv({ file: input, intervalSeconds, ignore: flags.ignore })
  }
}

/** As the bundle that ships is made, with as many hosts as asked for. */
function fromSimulator({ hosts, days, seed, intervalSeconds, detectors }: TrainFlags, progress: Progress): Made {
  if (detectors !== 'default') throw new UsageError('--detectors cannot be chosen with --from simulator')
  const share = (part: number) => Math.max(4, Math.ceil(hosts * part))
  const folder = here('../../recordings')
  let done = 0
  const parts = makeShippedBundle({
    seed: Number.isFinite(Number(seed)) ? Number(seed) : hash(seed),
    intervalSeconds: intervalSeconds ?? SIMULATED_INTERVAL,
    hosts: { fit: hosts, calibrate: share(1 / 2), weigh: share(1 / 4), failure: Math.max(44, hosts * 6) },
    days: days ?? 1,
    recordings: existsSync(folder) ? readRecordings(folder, 'rest') : [],
    log: (message) => progress.step(done++, 5, message),
  })
  return { parts, rows: null, gaps: 0, notes: [], heldOut: null, validation: null }
}

/** A seed that is a word, as a number. */
function hash(text: string): number {
  let h = 0
  for (let i = 0; i < text.length; i++) h = (Math.imul(h, 31) + text.charCodeAt(i)) >>> 0
  return h
}

/** The folder is replaced as a whole: only a bundle, an empty folder, or nothing may stand there. */
function expectReplaceable(folder: string, shown: string): void {
  if (!existsSync(folder)) return
  if (!statSync(folder).isDirectory()) throw new InputError(`--out ${shown} is a file`)
  const entries = readdirSync(folder)
  if (entries.length === 0 || entries.includes('manifest.json')) return
  throw new InputError(`--out ${shown} holds other files and no bundle: it would be replaced as a whole`)
}

async function writeWhole(file: string, bytes: Uint8Array): Promise<void> {
  const next = `${file}.tmp-${process.pid}`
  await mkdir(dirname(file), { recursive: true })
  await writeFile(next, bytes)
  await rename(next, file)
}

/** Share of the disturbances put into held-out rows below which a bundle is of little use. */
const WEAK = 0.2

function tableOf({ rows, gaps, validation }: Made, manifest: BundleParts['manifest']): string {
  const days = rows === null ? null : (rows * manifest.interval_seconds) / 86_400
  const first =
    rows === null || days === null
      ? `${manifest.signals.length} signals, a row in ${manifest.interval_seconds} s`
      : `${manifest.signals.length} signals, ${rows} rows of ${manifest.interval_seconds} s (${days.toFixed(1)} days), ${gaps} gaps`
  const kinds = validation ? (['step', 'ramp', 'noise'] as const) : []
  const head = ['detector', 'weight', 'median', 'q95', ...kinds.map((kind) => `${kind} found`)]
  const found = (name: string) => kinds.map((kind) => `${Math.round(100 * (validation?.found[name]?.[kind] ?? 0))} %`)
  const lines = manifest.detectors.map(({ name, weight, calibration: { median, q95 } }) => [
    name,
    String(weight),
    median.toFixed(2),
    q95.toFixed(2),
    ...found(name),
  ])
  for (const { name, weight, calibration } of manifest.daily?.members ?? []) {
    lines.push([name, String(weight), calibration.median.toFixed(2), calibration.q95.toFixed(2)])
  }
  if (validation) lines.push(['ensemble', '', '', '', ...found('ensemble')])
  const silent = manifest.detectors.filter((x) => x.weight === 0).map((x) => x.name)
  const notes = [
    ...(silent.length > 0 ? [`weight 0: a gauge of its own, no say in the ensemble (${silent.join(', ')})`] : []),
    ...(manifest.daily ? [`daily members join after ${manifest.daily.ready_days} days of a target's own rows`] : []),
  ]
  const weak = validation !== null && kinds.every((kind) => (validation.found.ensemble?.[kind] ?? 0) < WEAK)
  const widths = head.map((title, k) => Math.max(title.length, ...lines.map((line) => (line[k] ?? '').length)))
  const row = (cells: readonly string[]) =>
    cells
      .map((cell, k) => (k === 0 ? cell.padEnd(widths[k] ?? 0) : cell.padStart(widths[k] ?? 0)))
      .join('  ')
      .trimEnd()
  const warning = weak
    ? [
        'warning: the ensemble finds next to nothing of what validation put into held-out rows: were there incidents in the data?',
      ]
    : []
  return `${[first, row(head), ...lines.map(row), ...notes, ...warning].join('\n')}\n`
}
