import type { Config, ReloadResult } from './config/index.ts'
import type { Logger } from './log/index.ts'

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

export async function createApp(_options: AppOptions): Promise<App> {
  throw new Error('the application is not part of this build')
}
