import { execFile, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { App, AppOptions } from '../app.ts'
import type { Config } from '../config/index.ts'
import { COMMANDS, run } from './index.ts'
import { type Io, readConfigFile } from './io.ts'
import { runUntilStopped } from './lifecycle.ts'
import { serve } from './serve.ts'

const bin = fileURLToPath(new URL('../../bin/portent.js', import.meta.url))
const bad = fileURLToPath(new URL('../../fixtures/config/bad/unknown-keys.yml', import.meta.url))
const good = fileURLToPath(new URL('../../fixtures/config/good/everything.yml', import.meta.url))

class FakeProcess extends EventEmitter {
  readonly exits: number[] = []
  exit(code: number): void {
    this.exits.push(code)
  }
}

const fakeIo = (files: Record<string, string> = {}, env: Record<string, string> = {}) => {
  const text = { out: '', err: '' }
  const process = new FakeProcess()
  const io: Io = {
    out(more) {
      text.out += more
    },
    err(more) {
      text.err += more
    },
    env,
    cwd: '/srv',
    readFile: (path) => files[path] ?? readConfigFile(path),
    process: process as unknown as Io['process'],
  }
  return { io, text, process, files }
}

/** An app that notes what is asked of it. */
class FakeApp implements App {
  readonly calls: string[] = []
  readonly configs: Config[] = []
  readonly options: AppOptions
  stopping: () => Promise<void> = async () => {}

  constructor(options: AppOptions) {
    this.options = options
  }
  async start() {
    this.calls.push('start')
    return { address: 'http://127.0.0.1:1' }
  }
  async reload(config: Config) {
    this.calls.push('reload')
    this.configs.push(config)
    return ['bundle']
  }
  async stop() {
    this.calls.push('stop')
    await this.stopping()
  }
}

/** Starts `serve` with a fake app; resolves once the service listens. */
const served = async (given: ReturnType<typeof fakeIo>, argv: string[] = []) => {
  const lines: string[] = []
  let app: FakeApp | undefined
  const listening = new EventEmitter()
  const ready = once(listening, 'listening')
  const stream = {
    write(line: string) {
      lines.push(line)
      if (line.includes('"msg":"listening"')) listening.emit('listening')
    },
  }
  const create = async (options: AppOptions): Promise<App> => {
    app = new FakeApp(options)
    return app
  }
  const code = serve(argv, given.io, create, { stream })
  await ready
  if (!app) throw new Error('not started')
  return { code, lines, app }
}

t.test('help, version and mistakes', async (t) => {
  const call = async (...argv: string[]) => {
    const { io, text } = fakeIo()
    return { code: await run(argv, io), ...text }
  }
  const help = await call('--help')
  t.equal(help.code, 0)
  for (const { name, summary } of COMMANDS) t.match(help.out, new RegExp(`${name} +${summary}`))
  t.match(await call(), { code: 2, out: '', err: /Usage/ })
  t.match(await call('--version'), { code: 0, out: /^portent \d+\.\d+\.\d+ \(node v\d+\.\S+, \S+ \S+\)\n$/ })
  t.match(await call('serv'), { code: 2, err: 'portent: unknown command serv (did you mean serve?)' })
  t.match(await call('--verbose'), { code: 2, err: 'portent: unknown flag --verbose' })
  t.match(await call('serve', '--help'), { code: 0, out: /--\[no-\]collector\.raw\n.*Default: false/ })
  t.match(await call('serve', '--version'), { code: 0, out: /^portent/ })
  t.match(await call('serve', '--log.level=loud', 'stray'), {
    code: 1,
    err: /stray: unexpected argument\nportent: --log\.level: log\.level: expected one of/,
  })
  t.match(await call('check-config'), { code: 2, err: /which file\?/ })
  t.match(await call('check-config', '--exampel'), { code: 2, err: /unexpected --exampel/ })
  t.match(await call('check-config', '--help'), { code: 0, out: /Usage/ })
  t.match(await call('check-config', '--example'), { code: 0, out: /^# Configuration of Portent/ })
})

t.test('check-config looks at the file alone and tells of each', async (t) => {
  const { io, text } = fakeIo({}, { PORTENT_SENSITIVITY: 'wrong' })
  t.equal(await run(['check-config', good], io), 0)
  t.equal(text.out, `${good}: ok\n`)
  t.equal(await run(['check-config', good, bad, '/nowhere.yml', '/dev/zero', '/'], io), 1)
  t.match(text.err, `${bad}:1: sample_intervall: unknown key (did you mean sample_interval?)\n`)
  t.match(text.err, /\/nowhere\.yml: cannot be read: ENOENT/)
  t.match(text.err, '/dev/zero: cannot be read: larger than 1 MiB')
  t.match(text.err, /\n\/: cannot be read: EISDIR/)
})

t.test('serve starts, and stops once on a signal', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT']) {
    const given = fakeIo()
    const { code, app, lines } = await served(given)
    given.process.emit(signal, signal)
    t.equal(await code, 0)
    t.strictSame(app.calls, ['start', 'stop'])
    t.strictSame(given.process.exits, [])
    t.strictSame(given.process.eventNames(), [], 'no listener is left')
    t.match(lines.at(-1), '"msg":"stopped"')
  }
})

t.test('a reload puts a valid file in force and keeps the old configuration otherwise', async (t) => {
  const files = { 'p.yml': 'sensitivity: 5\nlog: { level: warn }\n' }
  const given = fakeIo(files)
  // The line that tells of listening is needed, so the level comes down only later.
  files['p.yml'] = 'sensitivity: 5\n'
  const { code, app, lines } = await served(given, ['--config.file=p.yml'])
  const { reload } = app.options

  files['p.yml'] = 'sensitivity: 6\nweb: { listen_address: ":9" }\nlog: { level: warn }\n'
  t.strictSame(await reload(), {
    ok: true,
    applied: ['sensitivity', 'log.level', 'bundle'],
    needRestart: ['web.listen_address'],
  })
  t.match(app.configs.at(-1), { sensitivity: 6, web: { listen_address: '127.0.0.1:21710' } })
  t.match(lines.at(-1), /"level":"warn".*some keys need a restart/)

  files['p.yml'] = 'sensitivity: 60\nwhat: 1\n'
  t.strictSame(await reload(), {
    ok: false,
    errors: ['p.yml:1: sensitivity: expected a whole number from 1 to 10, found 60', 'p.yml:2: what: unknown key'],
  })
  t.equal(app.configs.length, 1, 'the app is not asked')

  files['p.yml'] = 'sensitivity: 7\n'
  app.reload = async () => {
    throw new Error('the bundle is broken')
  }
  t.strictSame(await reload(), { ok: false, errors: ['the bundle is broken'] })

  const seen: number[] = []
  app.reload = async (config) => {
    seen.push(config.sensitivity)
    return []
  }
  const count = lines.length
  given.process.emit('SIGHUP')
  await reload()
  t.strictSame(seen, [7, 7], 'one after the other')
  t.match(lines.slice(count).join(''), /"applied":\["sensitivity","log\.level"\]/)
  given.process.emit('SIGTERM', 'SIGTERM')
  t.equal(await code, 0)
})

t.test('a second signal, a slow stop and an uncaught error end the process at once', async (t) => {
  const slow = async () => {
    const given = fakeIo()
    const { app } = await served(given)
    app.stopping = () => new Promise(() => {})
    return given
  }
  const twice = await slow()
  twice.process.emit('SIGTERM', 'SIGTERM')
  twice.process.emit('SIGINT', 'SIGINT')
  t.strictSame(twice.process.exits, [1])

  for (const event of ['uncaughtException', 'unhandledRejection']) {
    const given = fakeIo()
    const { lines } = await served(given)
    given.process.emit(event, new Error('nobody caught this'))
    t.strictSame(given.process.exits, [1])
    t.match(lines.at(-1), /"level":"fatal".*nobody caught this.*cli\.test/)
  }
})

t.test('a stop that takes too long is cut off by the timer', async (t) => {
  const { process } = fakeIo()
  const log = { info() {}, error() {}, warn() {}, fatal() {} } as unknown as AppOptions['log']
  let fire = (): void => {}
  let cancelled = 0
  let stop: () => void = () => {}
  const code = runUntilStopped({
    log,
    process: process as unknown as Io['process'],
    start: async () => {},
    reload: async () => {},
    stop: () =>
      new Promise((resolve) => {
        stop = resolve
      }),
    timer: (callback) => {
      fire = callback
      return () => cancelled++
    },
  })
  process.emit('SIGTERM', 'SIGTERM')
  await new Promise((resolve) => setImmediate(resolve))
  fire()
  t.strictSame(process.exits, [1])
  stop()
  t.equal(await code, 0)
  t.equal(cancelled, 1)
})

t.test('an app that cannot start or stop is told in the log, exit code 1', async (t) => {
  const { io } = fakeIo()
  const lines: string[] = []
  const stream = { write: (line: string) => lines.push(line) }
  const create = async () => {
    throw new Error('address in use')
  }
  t.equal(await serve([], io, create, { stream }), 1)
  t.match(lines.at(-1), /"level":"fatal".*address in use/)

  const given = fakeIo()
  const { code, app } = await served(given)
  app.stopping = async () => {
    throw new Error('cannot flush')
  }
  given.process.emit('SIGTERM', 'SIGTERM')
  t.equal(await code, 1)
})

t.test('the built program answers quickly, quietly, and survives a closed pipe', async (t) => {
  const call = (...argv: string[]) =>
    new Promise<{ code: unknown; out: string; err: string }>((resolve) => {
      execFile(process.execPath, [bin, ...argv], { env: { PATH: process.env.PATH } }, (error, out, err) =>
        resolve({ code: error?.code ?? 0, out, err }),
      )
    })
  t.match(await call('--help'), { code: 0, out: /Usage: portent/, err: /^$/ })
  t.match(await call('check-config', bad), { code: 1, out: /^$/, err: /unknown key/ })
  const child = spawn(process.execPath, [bin, 'serve', '--help'], { stdio: ['ignore', 'pipe', 'inherit'] })
  child.stdout.destroy()
  const [code] = (await once(child, 'exit')) as [number | null]
  t.equal(code, 0)
})
