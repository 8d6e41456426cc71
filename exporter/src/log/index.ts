import pino, { type Logger } from 'pino'
import type { LogConfig } from '../config/index.ts'
import { createScrubber } from './scrub.ts'
import { descriptorSink, fileSink, type Sink } from './sinks.ts'

export type { Logger }

export type LogLevel = LogConfig['level']

export interface LoggerOptions {
  /** Takes the place of standard error. */
  readonly stream?: { write(line: string): unknown }
  /** Texts that must never appear. */
  readonly secrets?: readonly string[]
  /** Wall clock, Unix ms. */
  readonly now?: () => number
}

const stats = { errors: 0 }

/** Lines that could not be written to one of their destinations, since the start of the process. */
export const logStats = (): { readonly errors: number } => ({ ...stats })

interface State {
  readonly sinks: readonly Sink[]
  /** Child loggers, which keep a level of their own. Weak: a request's logger goes with the request. */
  children: WeakRef<Logger>[]
  sweepAt: number
}

const states = new WeakMap<Logger, State>()

/**
 * JSON lines: `level` (a word), `time` (ISO 8601, UTC), the fields, `msg`. They go to standard error, and to a rotated
 * file where one is configured. No failure of a destination is thrown: it is counted in `logStats`.
 */
export function createLogger(config: LogConfig, { stream, secrets = [], now = Date.now }: LoggerOptions = {}): Logger {
  const failed = (): void => {
    stats.errors++
  }
  const sinks: Sink[] = [stream ? streamSink(stream, failed) : descriptorSink(2, failed)]
  const { path, max_size, max_files } = config.file
  if (path !== undefined) sinks.push(fileSink({ path, maxSize: max_size, maxFiles: max_files }, failed))

  const scrub = createScrubber(secrets)
  const state: State = { sinks, children: [], sweepAt: 64 }
  const log: Logger = pino(
    {
      level: config.level,
      base: null,
      timestamp: () => `,"time":"${new Date(now()).toISOString()}"`,
      formatters: { level: (level) => ({ level }) },
      serializers: { error: pino.stdSerializers.err },
      onChild: (child) => remember(state, child as Logger),
    },
    {
      write(line: string) {
        try {
          const clean = scrub(line)
          for (const sink of sinks) sink.write(clean)
        } catch {
          // Rather no line than one that is not scrubbed.
          failed()
        }
      },
    },
  )
  states.set(log, state)
  return log
}

/** The logger of one part of the service: its lines carry `component`. */
export const componentLogger = (log: Logger, component: string): Logger => log.child({ component })

/** Changes the level of a logger made by `createLogger` and of all its children. */
export function setLogLevel(log: Logger, level: LogLevel): void {
  log.level = level
  for (const reference of states.get(log)?.children ?? []) {
    const child = reference.deref()
    if (child) child.level = level
  }
}

/** Writes out what is buffered for the file. */
export async function closeLogger(log: Logger): Promise<void> {
  await Promise.all((states.get(log)?.sinks ?? []).map((sink) => sink.close()))
}

function remember(state: State, child: Logger): void {
  state.children.push(new WeakRef(child))
  if (state.children.length < state.sweepAt) return
  state.children = state.children.filter((reference) => reference.deref() !== undefined)
  state.sweepAt = Math.max(64, 2 * state.children.length)
}

function streamSink(stream: { write(line: string): unknown }, failed: () => void): Sink {
  const { on } = stream as { on?: (event: string, listener: () => void) => unknown }
  if (typeof on === 'function') on.call(stream, 'error', failed)
  return {
    write(line) {
      try {
        stream.write(line)
      } catch {
        failed()
      }
    },
    close: async () => {},
  }
}
