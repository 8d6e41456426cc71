import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { HOST_SIGNALS, parseCsv } from '@portent/core'
import t from 'tap'
import { bundleOfInterval } from '../bundle/testing.ts'
import type { Row } from '../types.ts'
import { SimulatedSource, simulatedTargets } from '../wiring/simulated.ts'
import { run } from './index.ts'
import type { Io } from './io.ts'

const bin = fileURLToPath(new URL('../../bin/portent.js', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'portent-simulate-'))
t.teardown(() => rmSync(folder, { recursive: true }))

async function call(...argv: string[]) {
  const told = { out: '', err: '' }
  const io: Io = {
    out(text) {
      told.out += text
    },
    err(text) {
      told.err += text
    },
    env: { PATH: process.env.PATH },
    cwd: folder,
    readFile: () => '',
    process: { on: () => undefined, off: () => undefined, exit: () => undefined },
  }
  return { code: await run(['simulate', ...argv], io), ...told }
}

t.test('recordings have labels, and the same seed gives the same bytes', async (t) => {
  const flags = ['--hosts=2', '--days=.5', '--interval=60', '--faults-per-day=20', '--fault=cpu_runaway']
  const { code, out, err } = await call(...flags, '--out=one')
  t.strictSame([code, err], [0, ''])
  t.match(out, /^one\/sim-1\.csv: \w+, 720 rows, \d+ faults, \d+ rows in failure\none\/sim-2\.csv: /)
  await call(...flags, '--out=two')
  await call(...flags, '--out=three', '--seed=other')
  const text = (dir: string, name: string) => readFileSync(join(folder, dir, name), 'utf8')
  for (const name of ['sim-1.csv', 'sim-2.csv']) {
    t.equal(text('one', name), text('two', name))
    t.not(text('one', name), text('three', name))
  }
  t.strictSame(readdirSync(join(folder, 'one')), ['sim-1.csv', 'sim-2.csv'])
  const table = parseCsv(text('one', 'sim-1.csv'))
  t.equal(table.rows, 720)
  t.strictSame([...table.ignored], ['fault', 'failed'])
  const names = HOST_SIGNALS.map((s) => s.name)
  t.ok(table.columns.every((name) => names.includes(name)))
  t.equal((table.at?.[1] as number) - (table.at?.[0] as number), 60_000)
  t.match(text('one', 'sim-1.csv'), /,cpu_runaway,[01]\n/)
  t.notMatch(text('one', 'sim-1.csv'), /,memory_leak,[01]\n/)

  t.match(await call('--out=single.csv', '--days=.1'), { code: 0, out: /^single\.csv: / })
})

t.test('wrong flags are told, and nothing is written', async (t) => {
  const cases: [flags: string[], message: string][] = [
    [['--out=x.csv', '--hosts=2'], '--out: 2 hosts need a folder, found x.csv'],
    [['--out=x', '--hosts=0'], '--hosts: expected a whole number from 1 to 10000, found 0'],
    [['--out=x', '--interval=.5'], '--interval: expected seconds from 1 to 3600, found .5'],
    [['--out=x', '--fault=gremlins'], '--fault: expected one of memory_leak, disk_filling, '],
    [['--out=x', '--what'], "Unknown option '--what'"],
  ]
  for (const [flags, message] of cases) {
    const { code, out, err } = await call(...flags)
    t.strictSame([code, out], [2, ''])
    t.ok(err.startsWith(`portent simulate: ${message}`), err)
  }
  t.notOk(readdirSync(folder).some((name) => name.startsWith('x')))
  t.match(await call('--help'), { code: 0, out: /^Usage: portent simulate/ })
  writeFileSync(join(folder, 'taken'), '')
  t.match(await call('--out=taken/in', '--days=.01'), { code: 1, err: /^portent simulate: ENOTDIR/ })
})

/** A stand-in for the simulator: prints what it is given and waits for the end of its input. */
function programOf(name: string, printed: string, then = ''): string {
  const path = join(folder, name)
  writeFileSync(path, `process.stdout.write(${JSON.stringify(printed)}); process.stdin.resume(); ${then}`)
  return path
}

const row = (target: string, more: object = {}) =>
  JSON.stringify({ target, at: 1, monotonic: 1, values: { cpu_busy: 0.1 }, resources: [], ...more })

t.test('the rows of a tick come together, and what is no row is told and left out', async (t) => {
  const lines = [row('sim-1'), 'garbage', row('web-1'), row('sim-2', { values: { a: null } }), row('sim-3'), '', '', '']
  const told: string[] = []
  const ticks: (readonly Row[])[] = []
  const ticked = new Promise<void>((resolve) => {
    const source = new SimulatedSource({
      hosts: 3,
      faultsPerDay: 1,
      intervalSeconds: 10,
      onRows: async (rows) => {
        ticks.push(rows)
        await source.stop()
        resolve()
      },
      onError: (message) => told.push(message),
      program: programOf('garbage.cjs', `${lines.join('\n')}\n`),
    })
    source.start()
  })
  await ticked
  t.strictSame(
    ticks.map((rows) => rows.map((x) => x.target)),
    [['sim-1', 'sim-3']],
  )
  t.strictSame(told, new Array(3).fill('the simulator printed what is no row'))
})

t.test('a simulator that dies, complains or will not end is told and ended', async (t) => {
  const told: [string, unknown][] = []
  const sourceOf = (program: string, onError: (message: string, detail: Record<string, unknown>) => void) =>
    new SimulatedSource({
      hosts: 1,
      faultsPerDay: 0,
      intervalSeconds: 1,
      onRows: async () => undefined,
      onError,
      program,
    })
  await new Promise<void>((resolve) => {
    const source = sourceOf(programOf('dies.cjs', '', 'console.error("no"); process.exit(3)'), (message, detail) => {
      told.push([message, detail.code ?? detail.line])
      if (told.length === 2) resolve()
    })
    source.start()
  })
  t.strictSame(told.sort(), [
    ['the simulator complains', 'no'],
    ['the simulator ended: its targets go stale', 3],
  ])
  const stubborn = sourceOf(programOf('stubborn.cjs', '', 'setInterval(() => {}, 1000)'), () => undefined)
  stubborn.start()
  await stubborn.stop()
  const none = new SimulatedSource({
    hosts: 0,
    faultsPerDay: 0,
    intervalSeconds: 1,
    onRows: async () => undefined,
    onError: () => t.fail('an error'),
    program: '/nowhere.js',
  })
  none.start()
  await none.stop()
  t.strictSame(simulatedTargets(2), ['sim-1', 'sim-2'])
})

t.test('serve --simulate adds that many targets, and takes the simulator with it', { timeout: 60_000 }, async (t) => {
  const flags = [
    '--simulate=3',
    '--sample-interval=500ms',
    '--collectors.deadline=400ms',
    '--score-interval=1s',
    `--bundle.path=${bundleOfInterval(join(folder, 'bundle'), 1)}`,
    `--store.path=${join(folder, 'db', 'p.db')}`,
    '--web.listen-address=127.0.0.1:0',
    '--target.name=own',
  ]
  const service = spawn(process.execPath, [bin, 'serve', ...flags], { stdio: ['ignore', 'ignore', 'pipe'] })
  t.teardown(() => service.kill('SIGKILL'))
  const log: string[] = []
  const address = await new Promise<string>((resolve) => {
    createInterface({ input: service.stderr }).on('line', (line) => {
      log.push(line)
      const { msg, address } = JSON.parse(line) as { msg: string; address?: string }
      if (msg === 'listening') resolve(address as string)
    })
  })
  const expected = ['own', 'sim-1', 'sim-2', 'sim-3']
  const found = async () => {
    const { targets } = (await (await fetch(`${address}/api/v1/targets`)).json()) as {
      targets: { target: string; assessment: { model: string } | null }[]
    }
    return targets.filter((x) => x.assessment?.model === 'active').map((x) => x.target)
  }
  const shown = async () => {
    const metrics = await (await fetch(`${address}/metrics`)).text()
    return [...metrics.matchAll(/^portent_anomaly_score\{target="([^"]+)",detector="ensemble"\} /gm)].map((x) => x[1])
  }
  for (let tries = 0; (await shown()).length < 4 && tries < 200; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  t.strictSame((await shown()).sort(), expected)
  t.strictSame(await found(), expected)
  t.notMatch(log.join('\n'), /"level":"error"/)

  service.kill('SIGTERM')
  const [code] = (await once(service, 'exit')) as [number | null]
  t.equal(code, 0)
  const running = readdirSync('/proc').filter((pid) => {
    try {
      return (
        /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('simulate.js\0--live\0--hosts=3\0')
      )
    } catch {
      return false
    }
  })
  t.strictSame(process.platform === 'linux' ? running : [], [])
})
