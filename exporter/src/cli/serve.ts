import type { App, AppOptions } from '../app.ts'
import {
  applyReloadable,
  diffReloadable,
  flagHelp,
  formatConfigError,
  type LoadResult,
  loadConfig,
  type ReloadResult,
  secretValues,
} from '../config/index.ts'
import { closeLogger, createLogger, type LoggerOptions, setLogLevel } from '../log/index.ts'
import { type Io, versionLine } from './io.ts'
import { runUntilStopped } from './lifecycle.ts'

const HELP = `Usage: portent serve [FLAGS]

Watches this host and serves metrics and the API. SIGTERM and SIGINT stop, SIGHUP reloads the configuration.

Flags:
${flagHelp()}  --help
        Print this
  --version
        Print the version

Every flag is a key of the file and an environment variable too: --web.listen-address is web.listen_address and
PORTENT_WEB_LISTEN_ADDRESS. For all keys see: portent check-config --example
`

type CreateApp = (options: AppOptions) => Promise<App>

/** Imported only when the configuration is good: the models' runtime is heavy. */
const createRealApp: CreateApp = async (options) => (await import('../app.ts')).createApp(options)

export async function serve(
  argv: readonly string[],
  io: Io,
  createApp: CreateApp = createRealApp,
  logging: LoggerOptions = {},
): Promise<number> {
  if (argv.some((word) => word === '--help' || word === '-h')) {
    io.out(HELP)
    return 0
  }
  if (argv.includes('--version')) {
    io.out(`${versionLine()}\n`)
    return 0
  }
  const load = (): LoadResult => loadConfig({ argv, env: io.env, readFile: io.readFile, cwd: io.cwd })
  const loaded = load()
  if (!loaded.ok) {
    for (const error of loaded.errors) io.err(`portent: ${formatConfigError(error)}\n`)
    return 1
  }
  const log = createLogger(loaded.config.log, { secrets: secretValues(loaded.config), ...logging })
  let running = loaded.config
  let app: App | null = null

  const reloadOnce = async (): Promise<ReloadResult> => {
    const next = load()
    if (!next.ok) return { ok: false, errors: next.errors.map(formatConfigError) }
    if (app === null) return { ok: false, errors: ['not started yet'] }
    const { reloadable, needRestart } = diffReloadable(running, next.config)
    const config = applyReloadable(running, next.config)
    try {
      const applied = await app.reload(config)
      setLogLevel(log, config.log.level)
      running = config
      return { ok: true, applied: [...new Set([...reloadable, ...applied])], needRestart }
    } catch (error) {
      log.error({ err: error }, 'reload failed')
      return { ok: false, errors: [error instanceof Error ? error.message : String(error)] }
    }
  }
  // One after the other: each sees what the one before has put in force.
  let last: Promise<unknown> = Promise.resolve()
  const reload = async (): Promise<ReloadResult> => {
    const mine = last.then(reloadOnce)
    last = mine
    const result = await mine
    if (!result.ok) log.error({ errors: result.errors }, 'configuration not reloaded: the old one stays in force')
    else if (result.needRestart.length > 0)
      log.warn(
        { applied: result.applied, need_restart: result.needRestart },
        'configuration reloaded: some keys need a restart',
      )
    else log.info({ applied: result.applied }, 'configuration reloaded')
    return result
  }

  try {
    return await runUntilStopped({
      log,
      process: io.process,
      reload,
      start: async () => {
        log.info({ version: versionLine(), config_file: loaded.file }, 'starting')
        app = await createApp({ config: running, log, reload })
        const { address } = await app.start()
        log.info({ address }, 'listening')
      },
      stop: async () => {
        await app?.stop()
      },
    })
  } finally {
    await closeLogger(log)
  }
}
