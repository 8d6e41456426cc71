import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { caller } from './testing.ts'

const folder = mkdtempSync(join(tmpdir(), 'portent-forecast-'))
t.teardown(() => rmSync(folder, { recursive: true }))

const call = caller(folder)

const T0 = Date.UTC(2026, 2, 2) / 1000
const OUTPUTS = ['exhaustion', 'failure', 'forecasts'] as const
const HEADERS = {
  exhaustion: 'timestamp,signal,lower,median,upper',
  failure: 'timestamp,horizon,probability',
  forecasts: 'timestamp,signal,horizon_seconds,q10,q50,q90',
} as const

const noise = (i: number, j: number) => (Math.abs(Math.sin(12.9898 * i + 78.233 * j) * 43758.5453) % 1) - 0.5

/** A disk that fills from the start of its last ten hours, full after twelve of them; a busy CPU and a response time. */
function filling(rows: number) {
  return Array.from({ length: rows }, (_, i) => {
    const day = Math.sin((2 * Math.PI * i) / 1440)
    const grown = Math.max(0, i - 1440) / 720
    return {
      timestamp: T0 + 60 * i,
      disk: Math.min(1, 0.4 + 0.6 * grown + 0.002 * noise(i, 1)),
      cpu: 0.3 + 0.1 * day + 0.05 * noise(i, 2),
      resp: 120 + 20 * day + 10 * noise(i, 3),
    }
  })
}

const SIGNALS = {
  interval_seconds: 60,
  signals: {
    disk: { kind: 'disk_used_ratio', unit: 'ratio', capacity: 1, direction: 'up' },
    cpu: { kind: 'cpu_busy_ratio', unit: 'ratio', capacity: null },
    resp: { kind: 'response_time', unit: 'milliseconds' },
  },
}

const csvOf = (rows: readonly object[]) => {
  const names = Object.keys(rows[0] ?? {})
  const lines = rows.map((row) => names.map((name) => (row as Record<string, unknown>)[name] ?? '').join(','))
  return `${names.join(',')}\n${lines.join('\n')}\n`
}

/** Predicts over a text as a file; resolves with the lines of what was asked for. */
async function predicted(
  text: string,
  signals: object | string = SIGNALS,
  flags: readonly string[] = [],
  outputs = OUTPUTS as readonly string[],
) {
  const dir = mkdtempSync(join(folder, 'run-'))
  writeFileSync(join(dir, 'data.csv'), text)
  writeFileSync(join(dir, 'signals.json'), typeof signals === 'string' ? signals : JSON.stringify(signals))
  const wanted = outputs.map((name) => `--${name}=${join(dir, name)}`)
  const result = await call('forecast', `--data=${dir}/data.csv`, `--signals=${dir}/signals.json`, ...wanted, ...flags)
  const lines = (name: (typeof OUTPUTS)[number]) =>
    result.code === 0 && outputs.includes(name) ? readFileSync(join(dir, name), 'utf8').trimEnd().split('\n') : []
  return { ...result, dir, exhaustion: lines('exhaustion'), failure: lines('failure'), forecasts: lines('forecasts') }
}

t.test('a recording gives a block of all three predictions every five minutes', async (t) => {
  const { code, err, out, ...found } = await predicted(csvOf(filling(2040)))
  t.equal(code, 0, err)
  t.match(out, /^2040 rows in [\d.]+ s: 408 blocks of predictions\n$/)
  for (const name of OUTPUTS) t.equal(found[name][0], HEADERS[name])
  const times = (lines: readonly string[]) => [...new Set(lines.slice(1).map((line) => Number(line.split(',')[0])))]
  t.strictSame(
    times(found.exhaustion),
    Array.from({ length: 408 }, (_, k) => T0 + 300 * k),
  )
  for (const name of OUTPUTS)
    t.ok(
      times(found[name]).every((at) => (at - T0) % 300 === 0),
      name,
    )

  t.ok(
    found.exhaustion.slice(1).every((line) => line.split(',')[1] === 'disk'),
    'only what has a capacity runs out',
  )
  const last = (found.exhaustion.at(-1) as string).split(',').slice(2).map(Number) as [number, number, number]
  const full = T0 + 60 * (1440 + 720)
  t.ok(last[0] <= full && full <= last[2], `full at ${full}, said ${last}`)
  t.ok(Math.abs(last[1] - full) < 1800)
  t.match(found.exhaustion[200], /,inf,inf,inf$/, 'nothing is foreseen of a flat disk')

  for (const line of found.forecasts.slice(1)) {
    const [, signal, , ...quantiles] = line.split(',')
    const [low, middle, high] = quantiles.map(Number) as [number, number, number]
    if (!(low <= middle && middle <= high)) t.fail(`quantiles of ${line}`)
    if (signal !== 'resp' && !(low >= 0 && high <= 1)) t.fail(`bounds of ${line}`)
  }
  t.match(found.forecasts.at(-1), /^\d+,resp,86400,/)
  const probabilities = found.failure.slice(1).map((line) => line.split(',').map(Number) as [number, number, number])
  t.ok(probabilities.length > 0 && probabilities.every(([, , p]) => p >= 0 && p <= 1))
  const byTime = new Map<number, number>()
  for (const [at, , p] of probabilities) {
    if (p < (byTime.get(at) ?? 0)) t.fail('a longer horizon is never less likely')
    byTime.set(at, p)
  }
})

t.test('the future changes nothing: a recording cut off gives the same bytes', async (t) => {
  const rows = filling(1900).filter((_, i) => i < 700 || i > 760)
  const whole = await predicted(csvOf(rows))
  for (const cut of [1, 2, 37, 703, 1533]) {
    const part = await predicted(csvOf(rows.slice(0, cut)))
    for (const name of OUTPUTS)
      t.strictSame(part[name], whole[name].slice(0, part[name].length), `${name} of ${cut} rows`)
  }
})

t.test('rows of 15 s, holes and missing cells', async (t) => {
  const rows = Array.from({ length: 3000 }, (_, i) => ({
    timestamp: T0 + 15 * i,
    disk: i % 50 === 7 ? '' : 0.5 + 0.001 * noise(i, 1),
    cpu: i > 1000 && i < 1400 ? '' : 0.3,
    resp: 100 + noise(i, 2),
  })).filter((_, i) => i < 500 || i > 800)
  const { code, err, exhaustion } = await predicted(csvOf(rows), { ...SIGNALS, interval_seconds: 15 })
  t.equal(code, 0, err)
  t.ok(exhaustion.slice(1).every((line) => line.endsWith(',inf,inf,inf')))
})

t.test('what cannot be predicted is not', async (t) => {
  const two = await predicted(csvOf(filling(2)))
  t.equal(two.code, 0, two.err)
  t.strictSame(
    two.exhaustion.slice(1).map((line) => line.split(',').slice(2)),
    [['inf', 'inf', 'inf']],
  )
  t.strictSame([two.forecasts.length, two.failure.length], [1, 1])
  t.match(two.err, 'too little is known')

  const constant = await predicted(csvOf(filling(600).map((row) => ({ ...row, disk: 0.5 }))))
  t.ok(constant.exhaustion.slice(1).every((line) => line.endsWith(',inf,inf,inf')))
  const missing = await predicted(csvOf(filling(600).map((row) => ({ ...row, disk: '' }))))
  t.equal(missing.code, 0, missing.err)
  t.strictSame(missing.exhaustion, [HEADERS.exhaustion])

  const limits: [number | null, RegExp, (x: number) => number][] = [
    [0, /disk: a capacity of 0 cannot be filled/, (x) => x],
    [null, /disk: no capacity is given/, (x) => x],
    [0.2, /^$/, (x) => x],
    [1, /disk only ever grows, far beyond its capacity of 1: a counter, or another unit/, (x) => 1e6 * x],
  ]
  for (const [capacity, told, scale] of limits) {
    const signals = { ...SIGNALS, signals: { disk: { ...SIGNALS.signals.disk, capacity } } }
    const rows = filling(1900).map(({ timestamp }, i) => ({ timestamp, disk: scale(0.3 + i / 4000) }))
    const { code, err, exhaustion } = await predicted(csvOf(rows), signals, [], ['exhaustion'])
    t.equal(code, 0, err)
    t.match(err.replace(/^.*: (?=disk)/, ''), told)
    const bold = exhaustion.slice(1).filter((line) => Number(line.split(',')[2]) > Number(line.split(',')[0]))
    t.strictSame(bold, [], `nothing is foreseen at a capacity of ${capacity}`)
  }
})

t.test('a capacity may be reached from above', async (t) => {
  const rows = filling(2040).map(({ timestamp, disk }) => ({ timestamp, free: 100 * (1 - disk) }))
  const signals = {
    interval_seconds: 60,
    signals: { free: { kind: 'gauge', unit: 'count', capacity: 0, direction: 'down' } },
  }
  const { code, err, exhaustion } = await predicted(csvOf(rows), signals, [], ['exhaustion'])
  t.equal(code, 0, err)
  const [, , lower, , upper] = (exhaustion.at(-1) as string).split(',').map(Number)
  const full = T0 + 60 * (1440 + 720)
  t.ok(Number(lower) <= full && full <= Number(upper), `empty at ${full}, said ${lower} to ${upper}`)
})

t.test('what is wrong with the files or the flags is said, and nothing is written', async (t) => {
  const text = csvOf(filling(20))
  const back = csvOf([...filling(20), ...filling(3)])
  const faults: [string, object | string, readonly string[], RegExp][] = [
    [back, SIGNALS, [], /data\.csv: line 22, column timestamp: \d+ comes after \d+: times must increase/],
    [text, '{', [], /signals\.json: is not JSON/],
    [text, { interval_seconds: 60, signals: {} }, [], /signals: at least one signal/],
    [text, { interval_seconds: 0, signals: SIGNALS.signals }, [], /interval_seconds: /],
    [text, { interval_seconds: 60, signals: { disk: { kind: 'x', unit: 'furlongs' } } }, [], /signals\.disk\.unit/],
    [text, { interval_seconds: 60, signals: { nothing: { kind: 'x', unit: 'none' } } }, [], /no column is a signal/],
    [text, SIGNALS, ['--bundle=nowhere'], /manifest\.json/],
  ]
  for (const [data, signals, flags, message] of faults) {
    const { code, err } = await predicted(data, signals, flags)
    t.equal(code, 1, err)
    t.match(err, message)
  }
  const overwrites = await call('forecast', '--data=a', '--signals=b', '--failure=a')
  t.match(overwrites, { code: 2, err: /would be overwritten/ })
  for (const flags of [['--horizons=0'], ['--horizons=3600,x'], ['--horizons='], ['--data=x']]) {
    t.equal((await call('forecast', ...flags)).code, 2, flags.join(' '))
  }
  t.match(await call('forecast', '--data=a', '--signals=b'), { code: 2, err: /at least one of --exhaustion/ })
  t.match(await call('forecast', '--data=a', '--signals=b', '--failure=c', '--forecasts=c'), {
    code: 2,
    err: /same file/,
  })
  t.match(await call('forecast', '--help'), { code: 0, out: /--horizons=LIST/ })
})
