import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { fetchCommand, signalsOf } from './fetch-command.ts'

async function call(args: readonly string[], now = 0) {
  let said = ''
  const progress = {
    write(text: string) {
      said += text
    },
  }
  return { code: await fetchCommand(args, { progress, now }), said }
}

const json = (folder: string, name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8'))

t.test('what a column is follows from its name, and the worst of several has no limit of its own', (t) => {
  const ratio = { unit: 'ratio', capacity: 1 }
  t.strictSame(signalsOf(['memory_used', 'filesystem_used', 'inodes_used', 'filesystem:/var', 'disk_read', 'orders']), {
    memory_used: { kind: 'memory_used_ratio', ...ratio },
    filesystem_used: { kind: 'disk_used_ratio', unit: 'ratio' },
    inodes_used: { kind: 'inodes_used_ratio', ...ratio },
    'filesystem:/var': { kind: 'disk_used_ratio', ...ratio },
    disk_read: { kind: 'other', unit: 'bytes_per_second' },
    orders: { kind: 'other', unit: 'none' },
  })
  t.end()
})

t.test('a history gives the means of its minutes, each at the end of it, with its mounts', async (t) => {
  const folder = t.testdir()
  const file = join(folder, 'portent.db')
  const db = new Database(file)
  db.exec(`CREATE TABLE targets (id INTEGER PRIMARY KEY, name TEXT NOT NULL, removed_at INTEGER);
    CREATE TABLE signal_sets (id INTEGER PRIMARY KEY, names TEXT NOT NULL);
    CREATE TABLE readings_minute (id INTEGER PRIMARY KEY, target_id INTEGER, at INTEGER, signal_set_id INTEGER, means BLOB);
    INSERT INTO signal_sets VALUES (1, '["cpu_busy","filesystem:/a,b","filesystem_used"]');
    INSERT INTO targets VALUES (1, 'host', NULL)`)
  const add = db.prepare('INSERT INTO readings_minute (target_id, at, signal_set_id, means) VALUES (1, ?, 1, ?)')
  for (let i = 0; i < 300; i++) {
    const blob = Buffer.alloc(24)
    blob.writeDoubleLE(0.25, 0)
    blob.writeDoubleLE(i === 299 ? Number.NaN : 0.5, 8)
    blob.writeDoubleLE(0.75, 16)
    add.run(1_700_000_040_000 + 60_000 * i, blob)
  }
  db.close()
  const out = join(folder, 'out')
  t.strictSame(await call(['--store', file, '--days', '0.1', '--out', out]), { code: 0, said: '' })
  const lines = readFileSync(join(out, 'data.csv'), 'utf8').trimEnd().split('\n')
  t.equal(lines[0], 'timestamp,cpu_busy,"filesystem:/a,b",filesystem_used')
  t.equal(lines.length, 1 + 144)
  t.equal(lines.at(-2), `${1_700_000_040 + 60 * 298 + 60},0.25,0.5,0.75`)
  t.equal(lines.at(-1), `${1_700_000_040 + 60 * 299 + 60},0.25,,0.75`)
  t.match(json(out, 'signals.json'), { interval_seconds: 60, signals: { 'filesystem:/a,b': { capacity: 1 } } })
  t.strictSame(json(out, 'about.json'), { name: `${file}, target host`, notes: [], wholes: {} })

  const gone = await call(['--store', `${file}.no`, '--out', join(folder, 'no')])
  t.strictSame(gone, { code: 1, said: `${file}.no: there is no such file\n` })
  t.notOk(existsSync(join(folder, 'no')))
})

t.test('a Prometheus gives each mount, as it was at that time', async (t) => {
  const mounts = Array.from({ length: 45 }, (_, i) => `/data/${i}`)
  const asked: URLSearchParams[] = []
  const seriesOf = (form: URLSearchParams): unknown[] => {
    const query = form.get('query') ?? ''
    if (query.startsWith('count by (instance)')) return [{ metric: { instance: 'a"b' }, value: [0, '1'] }]
    const isByMount = query.includes('by (mountpoint)')
    const metrics = !isByMount
      ? [{}]
      : query.includes('files_free')
        ? [{ mountpoint: '/' }]
        : mounts.map((mountpoint) => ({ mountpoint }))
    if (!form.has('step')) {
      return metrics.map((metric, i) => ({
        metric,
        value: [0, query.startsWith('max_over_time') ? String(i / 100) : '4e9'],
      }))
    }
    const [start, end] = ['start', 'end'].map((name) => Number(form.get(name))) as [number, number]
    return metrics.map((metric) => {
      const values: [number, string][] = []
      for (let at = start; at <= end; at += 60) values.push([at, at % 600 === 0 ? 'NaN' : '0.5'])
      return { metric, values }
    })
  }
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (part: Buffer) => {
      body += part.toString()
    })
    request.on('end', () => {
      const form = new URLSearchParams(body)
      asked.push(form)
      response.end(JSON.stringify({ status: 'success', data: { result: seriesOf(form) } }))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const out = join(t.testdir(), 'out')
  const { code, said } = await call(['--url', url, '--days', '1', '--until', '1700000000', '--out', out])
  t.equal(code, 0, said)
  const { signals } = json(out, 'signals.json')
  const found = Object.keys(signals).filter((name) => name.startsWith('filesystem:'))
  t.equal(found.length, 40)
  t.ok(found.includes('filesystem:/data/44') && !found.includes('filesystem:/data/0'), 'the fullest')
  t.match(signals['inodes:/'], { kind: 'inodes_used_ratio', capacity: 1 })
  const about = json(out, 'about.json')
  t.equal(about.name, `a"b at ${url}`)
  t.ok(about.notes.includes('45 mounts have filesystem: the 40 fullest are looked at'))
  t.strictSame(about.wholes['filesystem:/data/7'], { amount: 4e9, unit: 'bytes' })
  t.strictSame(about.wholes.memory_used, { amount: 4e9, unit: 'bytes' })
  for (const form of asked) {
    const query = form.get('query') ?? ''
    t.notMatch(query, /\$/)
    if (!query.startsWith('count by')) t.ok(query.includes('instance="a\\"b"'), query)
    t.ok(form.has('step') || form.get('time') === '1700000000', 'the end of the past is the present of it')
  }
  const lines = readFileSync(join(out, 'data.csv'), 'utf8').trimEnd().split('\n')
  t.match(lines.at(-1), /^1699999980,/)
  t.equal(lines.length, 1 + 1440 - 144)
})
