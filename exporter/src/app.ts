/** Builds the whole service from a configuration: the only file that knows all the rooms. */
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { budgetOf, type Limit } from '@portent/core'
import { Access } from './access/index.ts'
import { createApi, createServer, type RunningServer } from './api/index.ts'
import { InventoryReader, type Outcome } from './collect/index.ts'
import { type Config, parseListenAddress, type ReloadResult } from './config/index.ts'
import { Cycle } from './cycle.ts'
import { ScorerKeeper } from './detect/keeper.ts'
import { WorkerScorer } from './detect/scorer.ts'
import { componentLogger, type Logger } from './log/index.ts'
import { hostPlan, OutlookKeeper } from './outlook/index.ts'
import { MetricsPublisher, processReader, SelfMetrics } from './publish/index.ts'
import { lockStore, openStore, type Store, type StoreLock } from './store/index.ts'
import type { AlertEvent, Row } from './types.ts'
import { restoreState, saveState } from './wiring/adaptive-state.ts'
import { apiDeps, sensitivityOf, shapFeaturesOf } from './wiring/api-deps.ts'
import { writeHistory } from './wiring/history.ts'
import { HostSource } from './wiring/host.ts'
import { outlookHistory } from './wiring/outlook-history.ts'
import { PushedSource } from './wiring/pushed.ts'
import { SimulatedSource, simulatedTargets } from './wiring/simulated.ts'

export interface App {
  /** Starts collecting and listening; resolves with the address that is listened on. */
  start(): Promise<{ address: string }>
  /** Puts a configuration in force in which only reloadable keys differ; resolves with the keys that were applied. */
  reload(config: Config): Promise<string[]>
  /** Answers requests in flight, writes what is buffered, stops. */
  stop(): Promise<void>
}

export interface AppOptions {
  readonly config: Config
  readonly log: Logger
  /** What POST /-/reload does. */
  readonly reload: () => Promise<ReloadResult>
}

const MAINTAIN_MS = 60_000
/** A state that was left no longer ago than this is gone on with: the same alert is not raised by a restart. */
const RECENT_MS = 900_000
const SAVE_STATE_MS = 300_000
/** Forecasters are fitted anew so often, for so long at a time: one signal takes some milliseconds. */
const REFIT_EVERY_MS = 500
const REFIT_FOR_MS = 8
/** A key that was made or revoked, a certificate that was renewed: known after so long. */
const ACCESS_MS = 2_000
/** A batch that takes longer than this has hung: rules go on, and the scoring thread is begun afresh. */
const SCORE_DEADLINE_MS = 5_000

const { version } = createRequire(import.meta.url)('../package.json') as { version: string }

export async function createApp({ config: initial, log, reload }: AppOptions): Promise<App> {
  let config = initial
  let server: RunningServer | null = null
  let loadedAt = Date.now()
  let cycles = 0
  const intervalSeconds = config.score_interval / 1000

  const self = new SelfMetrics()
  const lock = lockOf(config)
  const store = openStoreOf(config, componentLogger(log, 'store'))
  const access = await accessOf(config, store, lock, componentLogger(log, 'access'))
  const modelLog = componentLogger(log, 'model')
  const keeper = new ScorerKeeper({
    intervalSeconds,
    start: (folder) =>
      WorkerScorer.start({ folder, deadlineMs: SCORE_DEADLINE_MS, onScored: (seconds) => self.inference(seconds) }),
    onLoaded: ({ bundle }) => {
      loadedAt = Date.now()
      const { manifest, sha256, trainedAt, loadSeconds } = bundle
      publisher.setModels([
        { version: manifest.version, sha256, ...(trainedAt === null ? {} : { trainedSeconds: trainedAt / 1000 }) },
      ])
      modelLog.info({ bundle: bundle.folder, version: manifest.version, seconds: loadSeconds }, 'bundle loaded')
    },
    onRefused: (reason, message) => {
      self.bundleLoadFailure(reason)
      modelLog.error({ reason, message }, 'bundle refused')
    },
  })

  const reader = processReader()
  const publisher: MetricsPublisher = new MetricsPublisher({
    version,
    self,
    scoreIntervalSeconds: intervalSeconds,
    seriesPerTarget: config.limits.series_per_target,
    raw: config.collector_raw ? 'all' : 'headline',
    ...(config.shap_features ? { shapFeatures: (target: string) => shapFeaturesOf(cycle, target) } : {}),
    process: () => reader.read(),
    onError: (error) => log.error({ err: error }, 'metrics could not be rendered'),
  })

  const cycleLog = componentLogger(log, 'cycle')
  const outlook = new OutlookKeeper({
    intervalSeconds,
    plan: () => hostPlan(limitsOf(config)),
    mostSeries: () => config.limits.forecasts,
    history: (_, like) => outlookHistory(store, like),
    onError: (error) => {
      self.cycleError('outlook')
      cycleLog.error({ step: 'outlook', err: error }, 'the outlook of a target failed')
    },
  })
  const cycle: Cycle = new Cycle({
    intervalSeconds,
    scorer: () => keeper.current(),
    sensitivity: (target) => sensitivityOrDefault(target),
    outlook: (inputs, scorer) => outlook.step(inputs, scorer),
    severityBefore: (target) =>
      store.history.assessments(target, Date.now() - RECENT_MS, Date.now()).at(-1)?.severity ?? 'none',
    restore: (target, state, manifest) => restoreState(store, target, state, manifest),
    publishers: [
      (batch) => writeHistory(store, batch),
      (batch) =>
        publisher.publish(
          batch.map((x) => x.assessment),
          Date.now(),
        ),
    ],
    onAlert: (event) => {
      publisher.alert(store.alerts.add(event) ?? { ...event, id: 0 })
      cycleLog.warn(alertFields(event), event.message)
    },
    onError: (step, error) => {
      self.cycleError(step)
      cycleLog.error({ step, err: error }, 'a step of the cycle failed')
    },
    onDropped: (reason, rows) => self.rowDropped(reason, rows),
    onNonFinite: (values) => self.nonFinite(values),
  })

  const score = async (rows: readonly Row[]): Promise<void> => {
    const started = performance.now()
    await cycle.run(rows)
    cycles++
    publisher.setForecasts(outlook.counts)
    publisher.setStore(storeFacts(store, config.store.ballast))
    publisher.cycleEnded(Date.now(), (performance.now() - started) / 1000)
    await publisher.render()
  }

  const simulatedNames = new Set(simulatedTargets(config.simulate.hosts))
  const pushed: PushedSource = new PushedSource({
    intervalMs: config.score_interval,
    store,
    isOwn: (target) => target === config.target.name || simulatedNames.has(target) || cycle.targets.has(target),
    mostTargets: () => config.limits.targets - 1 - config.simulate.hosts,
    onDropped: (rows) => self.rowDropped('late', rows),
    onAsleep: (target) => {
      const tracked = cycle.targets.get(target)
      if (tracked !== undefined) saveState(store, tracked)
      cycle.removeTarget(target)
      outlook.removeTarget(target)
      publisher.removeTarget(target)
    },
  })

  /** This host's row and what others pushed, in one batch; what waited longer follows in its order. */
  const tick = async (own: readonly Row[]): Promise<void> => {
    const [first = [], ...backlog] = pushed.take()
    const due = [...own, ...first]
    await Promise.all([due.length > 0 ? score(due) : undefined, ...backlog.map((rows) => cycle.run(rows))])
  }
  const tickOrTell = (own: readonly Row[]) =>
    void tick(own).catch((error: unknown) => cycleLog.error({ err: error }, 'a cycle failed'))

  const collectLog = componentLogger(log, 'collect')
  const host = new HostSource({
    config,
    // Over TLS the service does not trust its own certificate, nor has one to show: nothing is timed then.
    selfUrl: () => (server && access.tls === null ? `${loopbackUrl(server)}/-/healthy` : undefined),
    onRow: (row) => tickOrTell([row]),
    onEmpty: () => {
      self.rowDropped('empty')
      tickOrTell([])
    },
    onOutcomes: (outcomes) => {
      publisher.setCollectorOutcomes(outcomes)
      for (const outcome of outcomes) tell(outcome)
    },
    onError: (error) => collectLog.error({ err: error }, 'collecting failed'),
  })
  const simulated = new SimulatedSource({
    hosts: config.simulate.hosts,
    faultsPerDay: config.simulate.faults_per_day,
    intervalSeconds,
    onRows: score,
    onError: (message, detail) => collectLog.error(detail, message),
  })
  const failing = new Set<string>()
  /** One line when a collector begins to fail and one when it works again, however long it lasts. */
  function tell({ collector, success, reason, error, dropped }: Outcome): void {
    self.nonFinite(dropped)
    if (success === !failing.has(collector)) return
    if (success) {
      failing.delete(collector)
      collectLog.info({ collector }, 'collector works again')
    } else {
      failing.add(collector)
      collectLog.warn({ collector, reason, err: error }, 'collector fails')
    }
  }

  const api = createApi(
    apiDeps({
      version,
      config: () => config,
      log: componentLogger(log, 'http'),
      access,
      cycle,
      keeper,
      outlook,
      store,
      publisher,
      self,
      inventory: new InventoryReader(),
      host,
      pushed,
      reload,
      notReady: () => (cycles === 0 ? 'no cycle has ended yet' : null),
      loadedAt: () => loadedAt,
    }),
  )

  /** A database that cannot be read costs the setting, not the row. */
  function sensitivityOrDefault(target: string): number {
    try {
      return sensitivityOf(store, target, config.sensitivity)
    } catch (error) {
      cycleLog.error({ target, err: error }, 'settings cannot be read: the default sensitivity is used')
      return config.sensitivity
    }
  }

  const timers: NodeJS.Timeout[] = []
  const refit = () => {
    const end = performance.now() + REFIT_FOR_MS
    while (performance.now() < end && outlook.refitOne());
  }
  const saveStates = () => {
    for (const tracked of cycle.targets.values()) saveState(store, tracked)
  }

  return {
    async start() {
      store.targets.ensure(config.target.name, 'host')
      for (const target of simulatedNames) store.targets.ensure(target, 'host')
      pushed.restore()
      // A bundle that is refused is told by the keeper; rules score.
      await keeper.load(config.bundle.path).catch(() => undefined)
      const { host: listenHost, port } = listenAddressOf(config)
      try {
        server = await createServer(api, {
          host: listenHost ?? '::',
          port,
          headersTimeout: config.web.headers_timeout,
          requestTimeout: config.web.request_timeout,
          ...(access.tls && { tls: access.tls }),
          onError: (error) => log.error({ err: error }, 'HTTP server'),
        })
      } catch (error) {
        await keeper.close()
        store.close()
        lock.release()
        reader.stop()
        throw error
      }
      const { setTls } = server
      access.onTls(setTls)
      access.tellStart()
      host.start()
      simulated.start()
      timers.push(
        setInterval(() => void store.maintain(), MAINTAIN_MS),
        setInterval(() => void access.poll(), ACCESS_MS),
        setInterval(saveStates, SAVE_STATE_MS),
        setInterval(refit, REFIT_EVERY_MS),
      )
      return { address: server.url }
    },

    async reload(next) {
      const before = config
      await access.reconfigure(next)
      const broken = keeper.reason !== null
      if (next.bundle.path !== before.bundle.path) {
        await keeper.load(next.bundle.path).catch(async (error: unknown) => {
          await access.reconfigure(before)
          throw error
        })
      }
      // One that is broken still is no reason to refuse the rest.
      else if (broken) await keeper.load(next.bundle.path).catch(() => undefined)
      config = next
      if (JSON.stringify(next.collectors) !== JSON.stringify(before.collectors)) await host.reconfigure(next)
      store.setRetention(retentionOf(next))
      for (const target of cycle.targets.keys()) {
        const sensitivity = sensitivityOrDefault(target)
        cycle.setSensitivity(target, sensitivity, budgetOf(sensitivity))
      }
      return broken && keeper.reason === null ? ['bundle'] : []
    },

    async stop() {
      for (const timer of timers) clearInterval(timer)
      outlook.close()
      await Promise.all([host.stop(), simulated.stop()])
      await Promise.all([server?.stop(), cycle.idle()])
      saveStates()
      const lost = store.close()
      lock.release()
      if (lost > 0) log.error({ rows: lost }, 'rows could not be written')
      await keeper.close()
      reader.stop()
    },
  }
}

/** Levels at which a user's own signals run out. */
function limitsOf({ forecast }: Config): Record<string, Limit> {
  return Object.fromEntries(forecast.limits.map(({ signal, capacity, direction }) => [signal, { capacity, direction }]))
}

function lockOf({ store }: Config): StoreLock {
  const folder = dirname(store.path)
  try {
    mkdirSync(folder, { recursive: true })
  } catch (error) {
    const { message } = error as Error
    throw new Error(`store.path: the folder ${folder} cannot be made: ${message}`, { cause: error })
  }
  return lockStore(store.path)
}

function openStoreOf(config: Config, log: Logger): Store {
  const { store, target } = config
  const opened = openStore({
    file: store.path,
    ballastBytes: store.ballast,
    maxBytes: store.max_size,
    ...retentionOf(config),
    log,
  })
  opened.targets.ensure(target.name, 'host')
  return opened
}

function retentionOf({ store }: Config): { rawHours: number; minuteDays: number } {
  return { rawHours: store.raw_retention / 3_600_000, minuteDays: store.minute_retention / 86_400_000 }
}

async function accessOf(config: Config, store: Store, lock: StoreLock, log: Logger): Promise<Access> {
  try {
    return await Access.open({
      config,
      log,
      keys: () => store.keys.all(),
      used: (id, now) => store.keys.used(id, now),
      readFile: (path) => readFileSync(path, 'utf8'),
    })
  } catch (error) {
    store.close()
    lock.release()
    throw error
  }
}

function storeFacts(store: Store, ballast: number) {
  const stats = store.stats()
  return {
    sizeBytes: stats.bytes + stats.walBytes,
    ballastBytes: stats.ballast === 'present' ? ballast : 0,
    writeErrors: Object.values(stats.errors).reduce((sum, n) => sum + n, 0),
    rowsDropped: stats.lostRows,
    corruptFiles: stats.corruptFilesPutAside,
  }
}

function alertFields({ target, severity, from, health, confidence, trust, hints }: Omit<AlertEvent, 'id'>) {
  const signals = hints.map((h) => h.signal)
  return { alert: severity, from, target, health: Math.round(health), confidence, trust, signals }
}

function listenAddressOf({ web }: Config) {
  const address = parseListenAddress(web.listen_address)
  if (address === null) throw new Error(`web.listen_address ${web.listen_address} is no address`)
  return address
}

/** The service's own address as its own probe reaches it. */
function loopbackUrl({ address }: RunningServer): string {
  const any = address.address === '::' || address.address === '0.0.0.0'
  const host = any ? '127.0.0.1' : address.family === 'IPv6' ? `[${address.address}]` : address.address
  return `http://${host}:${address.port}`
}
