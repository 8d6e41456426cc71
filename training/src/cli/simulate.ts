/** `portent simulate`: recordings of simulated hosts as CSV; with --live, rows in real time on standard output. */
import { closeSync, mkdirSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { csvLines, FAULT_KINDS, type FaultKind, type FleetHost, generateFleet } from '../simulate/index.ts'
import { LiveFleet } from '../simulate/live.ts'

const HELP = `Usage: portent simulate --hosts N --days D --out DIR|FILE.csv [FLAGS]

Writes recordings of simulated Linux hosts: daily and weekly patterns, noise, deployments, backups, cron jobs and faults.
The columns are timestamp (Unix seconds), the signals that the host has, and the labels fault (the kind in progress) and
failed (1 while the host is failing). The same seed gives the same files.

Flags:
  --out=DIR|FILE.csv
        Folder for sim-1.csv to sim-N.csv, or the file of a single host
  --hosts=N
        Number of hosts, 1 to 10000. Default: 1
  --days=D
        Length of each recording, above 0 and at most 366. Default: 1
  --interval=SECONDS
        Length of a row, 1 to 3600. Default: 10
  --faults-per-day=R
        Faults that begin in a day of health, 0 to 100. Default: 1
  --fault=KIND
        Only this kind of fault; may be given several times. One of
        ${FAULT_KINDS.slice(0, 7).join(', ')},
        ${FAULT_KINDS.slice(7).join(', ')}
  --seed=S
        A number or a word. Default: 1
  --help
        Print this
`

const OPTIONS = {
  out: { type: 'string' },
  hosts: { type: 'string', default: '1' },
  days: { type: 'string', default: '1' },
  interval: { type: 'string', default: '10' },
  'faults-per-day': { type: 'string', default: '1' },
  fault: { type: 'string', multiple: true },
  seed: { type: 'string', default: '1' },
  live: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const

interface Job {
  readonly out: string
  readonly live: boolean
  readonly hosts: number
  readonly days: number
  readonly intervalSeconds: number
  readonly faultsPerDay: number
  readonly faultKinds: readonly FaultKind[]
  readonly seed: string
}

function readFlags(args: string[]): Job | null {
  const { values } = parseArgs({ args, options: OPTIONS, strict: true })
  if (values.help) return null
  const number = (
    name: 'hosts' | 'days' | 'interval' | 'faults-per-day',
    expected: string,
    ok: (x: number) => boolean,
  ) => {
    const text = values[name]
    const value = text.trim() === '' ? Number.NaN : Number(text)
    if (!ok(value)) throw new Error(`--${name}: expected ${expected}, found ${text}`)
    return value
  }
  const faultKinds = (values.fault ?? []).map((kind) => {
    const found = FAULT_KINDS.find((x) => x === kind)
    if (found === undefined) throw new Error(`--fault: expected one of ${FAULT_KINDS.join(', ')}, found ${kind}`)
    return found
  })
  const hosts = number('hosts', 'a whole number from 1 to 10000', (x) => Number.isInteger(x) && x >= 1 && x <= 10_000)
  if (!values.live && !values.out) throw new Error('--out is needed')
  const out = values.out ?? ''
  if (out.endsWith('.csv') && hosts > 1) throw new Error(`--out: ${hosts} hosts need a folder, found ${out}`)
  return {
    out,
    live: values.live,
    hosts,
    days: number('days', 'a number above 0 and at most 366', (x) => x > 0 && x <= 366),
    intervalSeconds: number(
      'interval',
      'seconds from 1 to 3600',
      (x) => (x >= 1 || (values.live && x > 0)) && x <= 3600,
    ),
    faultsPerDay: number('faults-per-day', 'a number from 0 to 100', (x) => x >= 0 && x <= 100),
    faultKinds,
    seed: values.seed,
  }
}

function writeRecordings({ out, faultKinds, ...options }: Job): void {
  const single = out.endsWith('.csv')
  mkdirSync(single ? dirname(resolve(out)) : out, { recursive: true })
  for (const host of generateFleet({ ...options, ...(faultKinds.length === 0 ? {} : { faultKinds }) })) {
    const path = single ? out : join(out, `sim-${host.index + 1}.csv`)
    writeLines(path, csvLines(host))
    const { failed, begun } = countsOf(host)
    console.log(`${path}: ${host.profile.role}, ${host.rows} rows, ${begun} faults, ${failed} rows in failure`)
  }
}

function countsOf({ truth, rows }: FleetHost): { begun: number; failed: number } {
  let begun = 0
  let failed = 0
  for (let i = 0; i < rows; i++) {
    if (truth.fault[i] !== 0 && (i === 0 || truth.fault[i - 1] === 0)) begun++
    failed += truth.failed[i] as number
  }
  return { begun, failed }
}

/** The file appears whole or not at all. */
function writeLines(path: string, lines: Iterable<string>): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw new Error(`${path} is a folder`)
  const temporary = `${path}.${process.pid}.tmp`
  const fd = openSync(temporary, 'w')
  try {
    let pending = ''
    for (const line of lines) {
      pending += `${line}\n`
      if (pending.length < 1 << 18) continue
      writeSync(fd, pending)
      pending = ''
    }
    writeSync(fd, pending)
    renameSync(temporary, path)
  } finally {
    closeSync(fd)
    rmSync(temporary, { force: true })
  }
}

/** Runs until whoever started it is gone: standard input ends, or nobody reads on. */
function live({ hosts, intervalSeconds, faultsPerDay, seed }: Job): void {
  const fleet = new LiveFleet({ hosts, intervalSeconds, faultsPerDay, seed, startsAt: Date.now() })
  const monotonic = () => Number(process.hrtime.bigint() / 1000n) / 1000
  const origin = monotonic()
  let free = true
  const schedule = (n: number): void => {
    setTimeout(
      () => {
        const now = monotonic()
        if (free) free = process.stdout.write(fleet.tick(Date.now(), now))
        // A timer may fire a little early: never the same instant twice.
        schedule(Math.max(n, Math.floor((now - origin) / (intervalSeconds * 1000))) + 1)
      },
      origin + n * intervalSeconds * 1000 - monotonic(),
    )
  }
  // An interrupt from the terminal is for the service, which then closes standard input.
  process.on('SIGINT', () => undefined)
  process.stdout.on('drain', () => {
    free = true
  })
  process.stdout.on('error', () => process.exit(0))
  process.stdin
    .on('end', () => process.exit(0))
    .on('error', () => process.exit(0))
    .resume()
  schedule(1)
}

try {
  const job = readFlags(process.argv.slice(2))
  if (job === null) process.stdout.write(HELP)
  else {
    try {
      if (job.live) live(job)
      else writeRecordings(job)
    } catch (error) {
      console.error(`portent simulate: ${(error as Error).message}`)
      process.exitCode = 1
    }
  }
} catch (error) {
  console.error(`portent simulate: ${(error as Error).message}\nSee portent simulate --help`)
  process.exitCode = 2
}
