import { execFileSync, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import t from 'tap'
import { openStore } from './index.ts'
import { entry, folder, memoryLog, T0 } from './testing.ts'

const HOUR = 3_600_000
const clock = () => T0
const all = [0, Number.MAX_SAFE_INTEGER, 1e6] as const

/** A database with `rows` rows, closed. */
function filled(file: string, rows = 500): void {
  const store = openStore({ file, ballastBytes: 0, clock })
  store.history.write(Array.from({ length: rows }, (_, i) => entry(T0 + i * 1000, { a: i, b: i, c: i })))
  store.close()
}

/** `ok` for a sound database. */
function check(file: string): unknown {
  const db = new Database(file)
  try {
    return db.pragma('quick_check', { simple: true })
  } finally {
    db.close()
  }
}

const asides = (path: string) => fs.readdirSync(path).filter((name) => name.includes('.corrupt-'))

t.test('a file that is no sound database is put aside, and a fresh one begun', async (t) => {
  const damage: Record<string, (file: string) => void> = {
    'garbage instead of a header': (file) => {
      const fd = fs.openSync(file, 'r+')
      fs.writeSync(fd, Buffer.alloc(100, 'x'), 0, 100, 0)
      fs.closeSync(fd)
    },
    'a file cut in half': (file) => fs.truncateSync(file, Math.floor(fs.statSync(file).size / 8192) * 4096),
    'a few bytes': (file) => fs.writeFileSync(file, 'hello'),
    'a page of zeros': (file) => {
      const fd = fs.openSync(file, 'r+')
      const page = Math.floor(fs.statSync(file).size / 4096) - 2
      fs.writeSync(fd, Buffer.alloc(4096), 0, 4096, page * 4096)
      fs.closeSync(fd)
    },
  }
  for (const [name, harm] of Object.entries(damage)) {
    const path = folder(t)
    const file = join(path, 'p.db')
    filled(file)
    harm(file)
    const harmed = fs.readFileSync(file)
    const log = memoryLog()
    const store = openStore({ file, ballastBytes: 0, clock, log })
    t.equal(store.stats().corruptFilesPutAside, 1, name)
    t.same(store.history.rows('host', ...all), [], name)
    t.match(store.history.write([entry(T0)]), { written: 1 }, name)
    t.equal(asides(path)[0], 'p.db.corrupt-20231114T221400Z', name)
    t.ok(fs.readFileSync(join(path, asides(path)[0] ?? '')).equals(harmed), `${name}: kept as it was`)
    t.match(log.lines.join(), /is corrupt and was put aside as/, name)
    store.close()
  }
})

t.test('corruption found while running is put aside and the batch goes to a fresh file', async (t) => {
  const path = folder(t)
  const file = join(path, 'p.db')
  filled(file, 5000)
  const store = openStore({ file, ballastBytes: 0, clock })
  store.targets.ensure('host', 'service')
  const fd = fs.openSync(file, 'r+')
  const pages = Math.floor(fs.statSync(file).size / 4096)
  fs.writeSync(fd, Buffer.alloc((pages - 1) * 4096, 'x'), 0, (pages - 1) * 4096, 4096)
  fs.closeSync(fd)
  t.equal(store.history.write([entry(T0 + 1)]).written, 1)
  t.equal(store.stats().corruptFilesPutAside, 1)
  t.equal(store.stats().errors.corrupt, 1)
  t.equal(asides(path)[0], 'p.db.corrupt-20231114T221400Z')
  t.match(store.targets.list(), [{ name: 'host', kind: 'service' }], 'the target keeps its kind')
  store.close()
})

t.test('a database of a newer schema, or of another program, is refused and not touched', async (t) => {
  const path = folder(t)
  const newer = join(path, 'newer.db')
  filled(newer)
  const db = new Database(newer)
  db.prepare("INSERT INTO schema_migrations VALUES (99, 'future', 0)").run()
  db.close()
  const foreign = join(path, 'foreign.db')
  new Database(foreign).exec('CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)').close()
  for (const [file, message] of [
    [newer, /newer\.db has schema version 99, this version knows up to 3/],
    [foreign, /foreign\.db is a database of another program/],
  ] as const) {
    const before = fs.readFileSync(file)
    t.throws(() => openStore({ file, ballastBytes: 0, clock }), message)
    t.ok(fs.readFileSync(file).equals(before))
  }
  t.same(asides(path), [])
})

t.test('a folder that is missing or cannot be written is named', async (t) => {
  const path = folder(t)
  t.throws(() => openStore({ file: join(path, 'no', 'p.db') }), /the folder .*\/no of database .* does not exist/)
  t.throws(() => openStore({ file: path }), new RegExp(`${path} is not a file`))
  if (process.getuid?.() !== 0) {
    fs.chmodSync(path, 0o500)
    t.throws(() => openStore({ file: join(path, 'p.db') }), /cannot be written/)
    fs.chmodSync(path, 0o700)
  }
})

t.test('while another process holds the lock, rows wait in a bounded buffer', async (t) => {
  const file = join(folder(t), 'p.db')
  const store = openStore({ file, ballastBytes: 0, clock, bufferRows: 4 })
  const other = new Database(file)
  other.exec('BEGIN IMMEDIATE')
  const first = store.history.write([entry(T0), entry(T0 + 1000)])
  t.match(first, { written: 0, buffered: 2, lost: 0, error: { kind: 'locked', message: /locked by another process/ } })
  const started = performance.now()
  const second = store.history.write([entry(T0 + 2000), entry(T0 + 3000), entry(T0 + 4000)])
  t.ok(performance.now() - started < 50, 'the second batch does not wait')
  t.match(second, { written: 0, buffered: 4, lost: 1 })
  const event = { target: 'host', at: T0, from: 'none', severity: 'info', health: 1, confidence: 1, trust: 1 } as const
  t.equal(store.alerts.add({ ...event, message: 'm', hints: [] }), null)
  t.equal(store.state.save('host', 'x', new Uint8Array(1)), false)
  t.throws(() => store.settings.put('host', 'sensitivity', 5), { message: /locked/, kind: 'locked' })
  t.match(store.stats(), { bufferedRows: 4, lostRows: 1, errors: { locked: 4 } })
  other.exec('COMMIT')
  other.close()
  t.match(store.history.write([entry(T0 + 5000)]), { written: 5, buffered: 0, lost: 0 })
  t.same(
    store.history.rows('host', ...all).map((r) => r.at - T0),
    [1000, 2000, 3000, 4000, 5000],
  )
  t.equal(store.alerts.list().length, 1)
  t.equal(store.close(), 0)
})

t.test('close writes what is buffered, and a closed store says so', async (t) => {
  const file = join(folder(t), 'p.db')
  const store = openStore({ file, ballastBytes: 0, clock })
  const other = new Database(file)
  other.exec('BEGIN IMMEDIATE')
  store.history.write([entry(T0)])
  other.exec('ROLLBACK')
  other.close()
  t.equal(store.close(), 0)
  t.notOk(fs.existsSync(`${file}-wal`))
  t.match(store.history.write([entry(T0 + 1)]), { written: 0, lost: 1, error: { kind: 'closed' } })
  await store.maintain()
  const again = openStore({ file, ballastBytes: 0, clock })
  t.equal(again.history.rows('host', ...all).length, 1)
  again.close()
})

t.test('the size stays within its bound: raw rows go before minutes, the newest stay', async (t) => {
  const file = join(folder(t), 'p.db')
  const time = { now: T0 }
  const maxBytes = 2 << 20
  const store = openStore({ file, ballastBytes: 0, maxBytes, clock: () => time.now })
  let largest = 0
  let maintained = 0
  for (let batch = 0; batch < 60; batch++) {
    const rows = Array.from({ length: 200 }, (_, i) =>
      entry(T0 + (batch * 200 + i) * 10_000, { a: i, b: 2, c: 3, d: 4 }),
    )
    time.now = rows.at(-1)?.row.at ?? 0
    t.equal(store.history.write(rows).written, 200)
    if (batch % 5 === 0) {
      await store.maintain()
      maintained++
    }
    largest = Math.max(largest, store.stats().bytes)
  }
  await store.maintain()
  t.ok(maintained > 0 && largest <= maxBytes, `${largest} bytes at most`)
  const rows = store.history.rows('host', ...all)
  t.equal(rows.at(-1)?.at, time.now)
  t.ok((rows[0]?.at ?? 0) > T0 + HOUR, 'the oldest raw rows are gone')
  const minutes = await store.history.range('host', T0, time.now, 60_000, { signals: ['a'] })
  t.equal(minutes.points[0]?.at, T0, 'their minutes are not')
  t.equal(check(file), 'ok')
  store.close()

  const eager = openStore({ file: `${file}2`, ballastBytes: 0, maxBytes: 1 << 20, clock: () => time.now })
  for (let batch = 0; batch < 40; batch++) {
    const rows = Array.from({ length: 200 }, (_, i) => entry(time.now - 8_000_000 + (batch * 200 + i) * 1000, { a: i }))
    t.match(eager.history.write(rows), { written: 200, lost: 0 })
  }
  t.ok(eager.stats().bytes <= 1 << 20, 'the bound holds without maintenance')
  t.ok((eager.stats().errors.full ?? 0) > 0)
  t.equal(eager.history.rows('host', ...all).at(-1)?.at, time.now - 1000)
  eager.close()

  const smaller = openStore({ file, ballastBytes: 0, maxBytes: 1 << 20, clock: () => time.now })
  await smaller.maintain()
  t.ok(smaller.stats().pages * 4096 <= 1 << 20, 'a limit that was lowered is reached')
  t.equal(smaller.history.rows('host', ...all).at(-1)?.at, time.now)
  smaller.close()
})

t.test('a file that is removed while in use is begun anew', async (t) => {
  const file = join(folder(t), 'p.db')
  const log = memoryLog()
  const store = openStore({ file, ballastBytes: 0, clock, log })
  store.history.write([entry(T0)])
  for (const suffix of ['', '-wal', '-shm']) fs.rmSync(file + suffix)
  await store.maintain()
  t.match(store.history.write([entry(T0 + 1)]), { written: 1 })
  t.match(log.lines.join(), /was removed; a new one is begun/)
  store.close()
  t.equal(check(file), 'ok')
  const again = openStore({ file, ballastBytes: 0, clock })
  t.equal(again.history.rows('host', ...all).length, 1)
  again.close()
})

t.test('the ballast is real bytes, made at start and put back when it is missing', async (t) => {
  const file = join(folder(t), 'p.db')
  const ballast = `${file}.ballast`
  fs.writeFileSync(`${ballast}.tmp`, 'left by a crash')
  const store = openStore({ file, ballastBytes: 3 << 20, clock })
  const { size, blocks } = fs.statSync(ballast)
  t.equal(size, 3 << 20)
  t.ok(blocks * 512 >= size, 'not sparse')
  t.notOk(fs.existsSync(`${ballast}.tmp`))
  t.equal(store.stats().ballast, 'present')
  fs.rmSync(ballast)
  await store.maintain()
  t.equal(fs.statSync(ballast).size, 3 << 20)
  store.close()
})

t.test('kill -9 while writing loses no acknowledged row and leaves a sound file', async (t) => {
  const file = join(folder(t), 'p.db')
  const script = fileURLToPath(new URL('../../fixtures/store/write-forever.mjs', import.meta.url))
  let next = T0
  let total = 0
  for (let round = 0; round < 10; round++) {
    const child = spawn(process.execPath, [script, file, String(next)], { stdio: ['ignore', 'pipe', 'inherit'] })
    let acknowledged = 0
    let lines = 0
    for await (const line of createInterface({ input: child.stdout })) {
      acknowledged = Number(line)
      if (++lines === 5 + 7 * round) child.kill('SIGKILL')
    }
    const db = new Database(file)
    t.equal(db.pragma('quick_check', { simple: true }), 'ok')
    const count = db.prepare('SELECT count(*) FROM readings WHERE at BETWEEN ? AND ?').pluck().get(next, acknowledged)
    t.equal(count, (acknowledged - next) / 1000 + 1, `round ${round}: every acknowledged row is there`)
    const sums = db.prepare(
      'SELECT (SELECT count(*) FROM readings) AS rows, (SELECT sum(count) FROM readings_minute) AS minutes',
    )
    const { rows, minutes } = sums.get() as { rows: number; minutes: number }
    t.equal(minutes, rows, 'minutes agree with rows')
    db.close()
    total = rows
    next = acknowledged + HOUR - (acknowledged % 1000)
  }
  t.ok(total > 10 * 5 * 7)
})

/** A small ext4 file system on a loop device, or the reason why there is none. */
function smallDisk(t: Parameters<typeof folder>[0], megabytes: number): string | { reason: string } {
  if (process.getuid?.() !== 0) return { reason: 'mounting a small disk needs root' }
  const path = folder(t)
  const image = join(path, 'disk.img')
  const mounted = join(path, 'disk')
  fs.mkdirSync(mounted)
  try {
    fs.writeFileSync(image, '')
    fs.truncateSync(image, megabytes << 20)
    execFileSync('mkfs.ext4', ['-q', '-m', '0', image], { stdio: 'pipe' })
    execFileSync('mount', ['-o', 'loop', image, mounted], { stdio: 'pipe' })
  } catch (error) {
    return { reason: `mkfs.ext4 or mount -o loop does not work here: ${String(error).split('\n')[0]}` }
  }
  t.teardown(() => execFileSync('umount', [mounted]))
  return mounted
}

/** Fills the disk to its last byte. */
function fillUp(path: string): void {
  const fd = fs.openSync(path, 'w')
  for (let size = 1 << 20; size >= 512; ) {
    try {
      if (fs.writeSync(fd, Buffer.alloc(size, 1)) < size) size /= 2
    } catch {
      size /= 2
    }
  }
  fs.closeSync(fd)
}

t.test('a full disk costs the oldest rows, and a read-only one is told', async (t) => {
  const disk = smallDisk(t, 48)
  if (typeof disk !== 'string') {
    t.plan(0, disk.reason)
    return
  }
  const file = join(disk, 'p.db')
  const filler = join(disk, 'filler')
  const time = { now: T0 }
  const log = memoryLog()
  const store = openStore({ file, ballastBytes: 4 << 20, clock: () => time.now, log })
  let at = T0
  const batch = (rows: number) => {
    const list = Array.from({ length: rows }, (_, i) => entry(at + (i + 1) * 1000, { a: 1, b: 2, c: 3 }))
    at += rows * 1000
    time.now = at
    return store.history.write(list)
  }
  for (let i = 0; i < 10; i++) t.equal(batch(500).written, 500)
  await store.maintain()
  fillUp(filler)
  const before = store.history.rows('host', ...all)
  let written = 0
  let released = false
  for (let i = 0; i < 40; i++) {
    written += batch(200).written
    released ||= store.stats().ballast === 'released'
  }
  t.equal(written, 40 * 200, 'every batch was written')
  t.ok(released, 'the ballast was released')
  t.match(log.lines.join(), /the ballast was released/)
  t.ok((store.stats().errors.full ?? 0) > 0)
  const after = store.history.rows('host', ...all)
  t.ok((after[0]?.at ?? 0) > (before[0]?.at ?? 0), 'the oldest rows went')
  t.equal(after.at(-1)?.at, at)

  fillUp(join(disk, 'filler2'))
  const refused = []
  for (let i = 0; i < 30; i++) refused.push(batch(500))
  t.ok(refused.every((r) => r.written + r.lost === 500 && (r.lost === 0 || r.error?.kind === 'full')))
  t.comment(`with no room at all ${refused.filter((r) => r.lost > 0).length} of 30 batches were not written`)

  fs.rmSync(filler)
  fs.rmSync(join(disk, 'filler2'))
  await store.maintain()
  t.equal(store.stats().ballast, 'present', 'the ballast is back')
  t.match(batch(10), { written: 10, lost: 0 })
  t.equal(check(file), 'ok')
  store.close()

  const again = openStore({ file, ballastBytes: 0, clock: () => time.now })
  again.close()
  execFileSync('mount', ['-o', 'remount,ro', disk])
  t.throws(
    () => openStore({ file, ballastBytes: 0, clock }),
    new RegExp(`the folder ${disk} of database .* cannot be written`),
  )
  execFileSync('mount', ['-o', 'remount,rw', disk])
})
