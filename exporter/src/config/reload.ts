import { isDeepStrictEqual } from 'node:util'
import { LEAVES } from './keys.ts'
import type { Config } from './schema.ts'

/** Keys, or sections of keys, that take effect in a running service. All others need a restart. */
export const RELOADABLE: readonly string[] = [
  'sensitivity',
  'collectors.response.probes',
  'bundle.path',
  'store.raw_retention',
  'store.minute_retention',
  'web.open_reads',
  'web.cors_origins',
  'auth',
  'limits.requests_per_second',
  'limits.request_burst',
  'limits.failed_logins_per_minute',
  'log.level',
]

/** Told to whoever asked for a reload. */
export type ReloadResult =
  | { readonly ok: true; readonly applied: readonly string[]; readonly needRestart: readonly string[] }
  | { readonly ok: false; readonly errors: readonly string[] }

export interface ConfigDiff {
  /** Changed keys that take effect at once. */
  readonly reloadable: readonly string[]
  /** Changed keys that keep their old value until a restart. */
  readonly needRestart: readonly string[]
}

const get = (config: Config, path: string): unknown =>
  path.split('.').reduce<unknown>((place, step) => (place as Record<string, unknown> | undefined)?.[step], config)

const isReloadable = (path: string): boolean =>
  RELOADABLE.some((prefix) => path === prefix || path.startsWith(`${prefix}.`))

/** Which keys differ, and what a change of them takes. */
export function diffReloadable(before: Config, after: Config): ConfigDiff {
  const changed = LEAVES.map((key) => key.path).filter(
    (path) => !isDeepStrictEqual(get(before, path), get(after, path)),
  )
  return {
    reloadable: changed.filter(isReloadable),
    needRestart: changed.filter((path) => !isReloadable(path)),
  }
}

const withValue = (place: unknown, [step, ...rest]: readonly string[], value: unknown): unknown => {
  if (step === undefined) return value
  const mapping = place as Record<string, unknown>
  return { ...mapping, [step]: withValue(mapping[step], rest, value) }
}

/** The running configuration with the reloadable keys of a new one: what is in force after a reload. */
export const applyReloadable = (running: Config, next: Config): Config =>
  diffReloadable(running, next).reloadable.reduce<Config>(
    (config, path) => withValue(config, path.split('.'), get(next, path)) as Config,
    running,
  )
