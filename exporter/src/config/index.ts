export { exampleConfig, flagHelp } from './example.ts'
export { type Key, LEAVES } from './keys.ts'
export {
  type ConfigError,
  formatConfigError,
  type LoadOptions,
  type LoadResult,
  loadConfig,
  type Sources,
} from './load.ts'
export { applyReloadable, type ConfigDiff, diffReloadable, RELOADABLE, type ReloadResult } from './reload.ts'
export {
  type Config,
  DEFAULT_PORT,
  defaultTargetName,
  type LogConfig,
  type Probe,
  ROLES,
  shippedBundle,
} from './schema.ts'
export { Secret, secretValues } from './secret.ts'
export {
  formatDuration,
  formatSize,
  type ListenAddress,
  parseDuration,
  parseListenAddress,
  parseSize,
} from './values.ts'
