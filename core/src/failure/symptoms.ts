/** What each kind of signal says of a failure: which symptoms there are, how fast they come, and when they are bad. */
import type { KindOrOther, SignalKind } from '../outlook/kinds.ts'
import type { RiskFeature } from './features.ts'

/** Symptoms that a host should show; each that it has none of makes the model less sure. */
export const SYMPTOMS: readonly (readonly SignalKind[])[] = [
  ['cpu_busy_ratio', 'load_per_core'],
  ['memory_used_ratio'],
  ['disk_used_ratio', 'inodes_used_ratio'],
  ['cpu_iowait_ratio', 'disk_busy_ratio'],
  ['network_error_ratio'],
  ['response_time', 'error_ratio'],
]

/** Symptoms that come within minutes. */
export const FAST_KINDS: ReadonlySet<SignalKind> = new Set([
  'cpu_iowait_ratio',
  'disk_busy_ratio',
  'network_rate',
  'network_error_ratio',
  'response_time',
  'error_ratio',
])

/** Levels at which a part counts as bad, for straight lines and pairs. */
export const BAD = {
  stock: 1,
  memory: 0.98,
  cpu: 0.97,
  iowait: 0.6,
  diskBusy: 0.97,
  network: 0.3,
  errors: 0.5,
  response: 8,
} as const

/** What it means that a resource is used up; memory and swap depend on each other. */
export const RESOURCES: Readonly<Partial<Record<KindOrOther, RiskFeature>>> = {
  disk_used_ratio: 'storage_exhaustion',
  inodes_used_ratio: 'storage_exhaustion',
  file_descriptors_used_ratio: 'handles_exhaustion',
}
