import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { systemClock } from './clock.ts'
import type { Reading } from './collector.ts'
import { eventLoop, missedDelays } from './event_loop.ts'
import { FakeClock } from './fake_clock.ts'
import { FakeHost } from './fake_host.ts'
import { type FileSystemStats, fileSystemReading, filesystem, type Statfs } from './filesystem.ts'
import { mountTest, realMounts, unescaped } from './mounts.ts'
import { type Probe, response } from './response.ts'
import { Sampler } from './sampler.ts'
import { temperature } from './temperature.ts'
import { zombies } from './zombies.ts'

const signal = new AbortController().signal
const stats = (more: Partial<FileSystemStats> = {}): FileSystemStats => ({
  bsize: 4096,
  blocks: 1000,
  bfree: 400,
  bavail: 200,
  files: 100,
  ffree: 25,
  ...more,
})

function hostOf(t: Test, fixture: 'before' | 'empty' = 'before'): FakeHost {
  const host = new FakeHost(fixture)
  t.teardown(() => host.end())
  return host
}

t.test('mounts: local file systems only, one a device, names unescaped', async (t) => {
  const host = hostOf(t)
  t.strictSame(
    realMounts(host.read('proc/self/mountinfo')).map((m) => `${m.path} ${m.type}`),
    ['/ ext4', '/boot/efi vfat', '/srv btrfs', '/v xfs'],
    'not the bind mount, the longer path, the second subvolume, the image, the network, the overlay, the hidden one',
  )
  const data = '29 27 8:17 / /var/lib/my\\040data rw - xfs /dev/sdb1 rw'
  t.strictSame(realMounts(data), [{ path: '/var/lib/my data', type: 'xfs', device: '/dev/sdb1' }])
  t.equal(unescaped('/a\\134b\\011c\\303\\244'), '/a\\b\tcä')
  t.strictSame(realMounts('1 2 0:9 / / rw - overlay overlay rw\n'), [{ path: '/', type: 'overlay', device: '0:9' }])
  const wanted = mountTest({ excludeMounts: ['^/srv($|/)'], excludeTypes: ['vfat'] })
  const left = realMounts(host.read('proc/self/mountinfo'), wanted).map((m) => m.path)
  t.strictSame(left, ['/', '/home', '/v'], 'the next mount of the device stands for the one left out')
  t.throws(() => mountTest({ excludeMounts: ['('] }), { message: 'excludeMounts: "(" is not a regular expression' })
  t.strictSame(realMounts('\n - \n1 2 3 - ext4\n'), [])
})

t.test('filesystem: used is what df shows, of each mount and of the worst', async (t) => {
  const host = hostOf(t)
  const answers: Record<string, FileSystemStats> = {
    '/': stats(),
    '/boot/efi': stats({ files: 0, bfree: 900, bavail: 900 }),
    '/srv': stats({ blocks: 0 }),
    '/v': stats({ bfree: 500, bavail: 500, ffree: 1 }),
  }
  const collector = filesystem(host, async (path) => answers[path] ?? stats())
  t.strictSame(await collector.collect(signal), {
    values: { filesystem_used: 0.75, inodes_used: 0.99 },
    resources: [
      { resource: 'filesystem:/', used: 0.75, capacity: 4_096_000, unit: 'bytes' },
      { resource: 'inodes:/', used: 0.75, capacity: 100, unit: 'inodes' },
      { resource: 'filesystem:/boot/efi', used: 0.1, capacity: 4_096_000, unit: 'bytes' },
      { resource: 'filesystem:/v', used: 0.5, capacity: 4_096_000, unit: 'bytes' },
      { resource: 'inodes:/v', used: 0.99, capacity: 100, unit: 'inodes' },
    ],
  })
  const odd = { path: '/', type: 'ext4', device: 'x' }
  for (const bad of [stats({ bfree: Number.NaN }), stats({ blocks: Number.NaN }), stats({ bfree: 1000, bavail: 0 })]) {
    t.notOk('filesystem_used' in fileSystemReading([odd], new Map([['/', { ...bad, files: 0 }]])).values)
  }
})

t.test('filesystem: a mount that vanishes disappears, one that fails is missing alone', async (t) => {
  const host = hostOf(t)
  const failing = new Set(['/srv'])
  const collector = filesystem(host, async (path) => {
    if (failing.has(path)) throw new Error('EACCES')
    return stats()
  })
  const mounted = async () =>
    (await collector.collect(signal)).resources?.filter((r) => r.unit === 'bytes').map((r) => r.resource)
  t.strictSame(await mounted(), ['filesystem:/', 'filesystem:/boot/efi', 'filesystem:/v'])
  const lines = host.read('proc/self/mountinfo').split('\n')
  host.write('proc/self/mountinfo', lines.filter((l) => !l.includes('8:17')).join('\n'))
  await host.clock.advance(4000)
  t.strictSame(await mounted(), ['filesystem:/', 'filesystem:/boot/efi'])
  host.write('proc/self/mountinfo', '')
  await host.clock.advance(4000)
  t.strictSame(await collector.collect(signal), { values: {}, resources: [] })
})

t.test('filesystem: a mount that hangs is asked once, costs only itself, and comes back', async (t) => {
  const host = hostOf(t)
  const calls: string[] = []
  const waiting: (() => void)[] = []
  const ask: Statfs = (path) => {
    calls.push(path)
    if (path !== '/') return Promise.resolve(stats())
    return new Promise((resolve) => waiting.push(() => resolve(stats())))
  }
  const collector = filesystem(host, ask)
  const read = async (ms: number): Promise<number> => {
    let reading: Reading | undefined
    void Promise.resolve(collector.collect(signal)).then((r) => {
      reading = r
    })
    await host.clock.advance(ms)
    return reading?.resources?.filter((r) => r.unit === 'bytes').length ?? -1
  }
  t.equal(await read(999), -1)
  await host.clock.advance(1)
  t.equal(await read(0), 3, 'while it hangs the others answer at once')
  await host.clock.advance(4000)
  t.equal(await read(0), 3)
  t.equal(calls.filter((path) => path === '/').length, 1)
  waiting[0]?.()
  await host.clock.advance(4000)
  const back = read(0)
  waiting[1]?.()
  t.equal(await back, 4)
})

t.test('filesystem: hanging mounts never take more than three calls', async (t) => {
  const host = hostOf(t)
  let inFlight = 0
  const collector = filesystem(host, () => {
    inFlight++
    return new Promise(() => undefined)
  })
  for (let tick = 0; tick < 4; tick++) {
    const reading = collector.collect(signal)
    await host.clock.advance(1000)
    t.strictSame(await reading, { values: {}, resources: [] })
    await host.clock.advance(3000)
  }
  t.equal(inFlight, 3)
  t.equal(host.clock.pending, 0)
})

t.test('filesystem: at most fifty mounts', async (t) => {
  const host = hostOf(t)
  const lines = Array.from({ length: 80 }, (_, i) => `${i} 1 9:${i} / /m${100 + i} rw - ext4 /dev/m${i} rw`)
  host.write('proc/self/mountinfo', lines.join('\n'))
  const reading = await filesystem(host, async () => stats({ files: 0 })).collect(signal)
  t.equal(reading.resources?.length, 50)
})

t.test('zombies: the state is what follows the last bracket', async (t) => {
  const host = hostOf(t)
  t.strictSame(await zombies(host).collect(signal), { values: { processes_zombie: 1 } })
  host.write('proc/80/stat', 'garbage')
  host.write('proc/81/stat', '')
  host.write('proc/82/status', 'its stat file vanished')
  t.strictSame(await zombies(host).collect(signal), { values: { processes_zombie: 1 } })
  t.strictSame(await zombies(hostOf(t, 'empty')).collect(signal), { values: {} })
  for (let pid = 1000; pid < 1150; pid++) host.write(`proc/${pid}/stat`, `${pid} (x) Z 1`)
  t.strictSame(await zombies(host).collect(signal), { values: { processes_zombie: 151 } })
  t.strictSame(await zombies(host).collect(AbortSignal.abort()), { values: {} }, 'an aborted scan counts nothing')
})

t.test('temperature: the highest sane sensor', async (t) => {
  const host = hostOf(t)
  const collector = temperature(host)
  t.strictSame(await collector.collect(signal), { values: { temperature: 61.5 } })
  host.write('sys/class/hwmon/hwmon0/temp1_input', 'garbage')
  t.strictSame(await collector.collect(signal), { values: { temperature: 45 } })
  host.remove('sys/class/thermal')
  t.strictSame(await collector.collect(signal), { values: {} })
  t.strictSame(await temperature(hostOf(t, 'empty')).collect(signal), { values: {} })
})

t.test('event loop: a delay stands for all the callbacks that were due meanwhile', async (t) => {
  t.strictSame(missedDelays(-3), { sum: 0, count: 1 })
  t.strictSame(missedDelays(0.4), { sum: 0, count: 1 })
  t.strictSame(missedDelays(51), { sum: 50, count: 1 })
  t.strictSame(missedDelays(351), { sum: 350 + 100, count: 2 })
  const clock = new FakeClock()
  const collector = eventLoop({ clock })
  t.strictSame(await collector.collect(signal), { values: {} }, 'nothing measured yet')
  await clock.advance(2000)
  t.strictSame(await collector.collect(signal), { values: { event_loop_delay: 0 } })
  clock.block(250 + 1001)
  await clock.advance(0)
  // The timer was 1001 ms late: 1000, 750, 500, 250 and 0 ms.
  t.strictSame(await collector.collect(signal), { values: { event_loop_delay: 0.5 } })
  t.strictSame(await collector.collect(signal), { values: {} }, 'a measurement is used once')
  collector.close?.()
  t.equal(clock.pending, 0)
})

/** The first reading that has values; each try waits for the event loop, not for a time. */
async function firstValues(probes: readonly Probe[], done: (values: Reading['values']) => boolean) {
  const collector = response({ clock: systemClock, probes })
  for (;;) {
    const { values } = await collector.collect(signal)
    if (done(values)) return values
    await new Promise((resolve) => setImmediate(resolve))
  }
}

t.test('response: time of the probes that succeed, share of those that fail', async (t) => {
  const requests: (string | undefined)[] = []
  const sockets = new Set<net.Socket>()
  const server = http.createServer((request, answer) => {
    requests.push(request.headers.connection)
    if (request.url === '/ok') answer.end('fine')
    else if (request.url === '/moved') answer.writeHead(302, { location: '/ok' }).end()
    else if (request.url === '/teapot') answer.writeHead(418).end()
    else if (request.url === '/endless') {
      const more = () => {
        while (!answer.destroyed && answer.write(Buffer.alloc(16_384)));
      }
      answer.on('drain', more)
      more()
    } else if (request.url === '/torn') {
      answer.writeHead(200, { 'content-length': '100' })
      answer.write('half', () => answer.destroy())
    }
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const http_ = (name: string, more = {}): Probe => ({
    name,
    type: 'http',
    url: `http://127.0.0.1:${port}/${name}`,
    timeout_seconds: 5,
    ...more,
  })
  const known = (values: Reading['values']) => 'probe_failed' in values
  const alone = async (probe: Probe) => await firstValues([probe], known)

  for (const probe of [http_('ok'), http_('endless'), http_('teapot', { expected_status: 418 })]) {
    const values = await alone(probe)
    t.equal(values.probe_failed, 0, probe.name)
    t.ok((values.response_time ?? -1) > 0)
  }
  t.equal((await alone({ name: 'tcp', type: 'tcp', host: '127.0.0.1', port })).probe_failed, 0)
  const bad = [http_('moved'), http_('teapot'), http_('torn'), http_('silent', { timeout_seconds: 0.02 })]
  for (const probe of bad) t.strictSame(await alone(probe), { probe_failed: 1 }, probe.name)
  const both = await firstValues([http_('ok'), http_('teapot')], (v) => known(v) && v.probe_failed === 0.5)
  t.ok((both.response_time ?? -1) > 0)
  t.ok(requests.every((connection) => connection === 'close'))

  const closed = net.createServer()
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve))
  const nobody = (closed.address() as AddressInfo).port
  await new Promise((resolve) => closed.close(resolve))
  t.strictSame(await alone({ name: 'none', type: 'tcp', host: '127.0.0.1', port: nobody }), { probe_failed: 1 })
  t.strictSame(await alone({ name: 'none', type: 'http', url: `http://127.0.0.1:${nobody}/` }), { probe_failed: 1 })

  while (sockets.size > 0) await new Promise((resolve) => setImmediate(resolve))
  t.pass('no connection is left open')
})

t.test('response: the own address is probed once it is known, and only without other probes', async (t) => {
  const server = http.createServer((_, answer) => answer.end())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  let url: string | undefined
  const collector = response({ clock: systemClock, selfUrl: () => url })
  t.strictSame(await collector.collect(signal), { values: {} })
  await new Promise((resolve) => setImmediate(resolve))
  t.strictSame(await collector.collect(signal), { values: {} })
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/-/healthy`
  for (;;) {
    const { values } = await collector.collect(signal)
    if ('response_time' in values) break
    t.notOk('probe_failed' in values)
    await new Promise((resolve) => setImmediate(resolve))
  }
  t.strictSame(await response({ clock: systemClock }).collect(signal), { values: {} })
})

t.test('response: a probe has one call in flight, and an old result is not shown for ever', async (t) => {
  const clock = new FakeClock()
  const sockets: net.Socket[] = []
  const server = net.createServer((socket) => sockets.push(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const probe: Probe = { name: 'x', type: 'tcp', host: '127.0.0.1', port, interval_seconds: 60, timeout_seconds: 5 }
  const collector = response({ clock, probes: [probe] })
  await collector.collect(signal)
  while (!('probe_failed' in (await collector.collect(signal)).values)) {
    await new Promise((resolve) => setImmediate(resolve))
  }
  await clock.advance(50_000)
  t.equal((await collector.collect(signal)).values.probe_failed, 0)
  t.equal(sockets.length, 1, 'not due yet')
  const silent: Probe = { name: 'y', type: 'http', url: `http://127.0.0.1:${port}/`, timeout_seconds: 1000 }
  const hanging = response({ clock, probes: [silent] })
  for (let i = 0; i < 5; i++) {
    await hanging.collect(signal)
    await clock.advance(2000)
  }
  while (sockets.length < 2) await new Promise((resolve) => setImmediate(resolve))
  t.equal(sockets.length, 2, 'one call in flight')
  t.strictSame((await hanging.collect(signal)).values, {})
  await clock.advance(1_000_000)
  t.strictSame((await hanging.collect(signal)).values, { probe_failed: 1 })
})

t.test('response: a probe that is none is refused with its name', async (t) => {
  const { clock } = hostOf(t, 'empty')
  const of = (probe: Probe) => () => response({ clock, probes: [probe] })
  t.throws(of({ name: 'a', type: 'http', url: 'nonsense' }), { message: 'probe a: url is not an http or https URL' })
  t.throws(of({ name: 'b', type: 'http', url: 'file:///etc/passwd' }), { message: /^probe b: / })
  t.throws(of({ name: 'c', type: 'tcp', host: 'x', port: 70_000 }), { message: /^probe c: port 70000/ })
})

t.test('a mount that hangs does not keep the sampler from its deadline', async (t) => {
  const host = hostOf(t)
  const collector = filesystem(host, (path) => (path === '/' ? new Promise(() => undefined) : Promise.resolve(stats())))
  const sampler = new Sampler({ target: 'h', collectors: [collector], clock: host.clock })
  const tick = sampler.tick()
  await host.clock.advance(1000)
  t.equal((await tick).values.filesystem_used, 0.75)
  await sampler.stop()
})

t.test('response: with ticks longer than the expiry the result of the last tick is still shown', async (t) => {
  const clock = new FakeClock()
  const server = net.createServer((socket) => socket.destroy())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const collector = response({ clock, probes: [{ name: 'x', type: 'tcp', host: '127.0.0.1', port }] })
  await collector.collect(signal)
  while (clock.pending > 0) await new Promise((resolve) => setImmediate(resolve))
  await clock.advance(60_000)
  t.equal((await collector.collect(signal)).values.probe_failed, 0)
})
