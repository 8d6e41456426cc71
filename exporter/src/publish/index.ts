export { METRICS, type MetricSpec } from './catalogue.ts'
export { CONTENT_TYPES, type Format } from './exposition.ts'
export {
  type CollectorOutcome,
  MetricsPublisher,
  type Performance,
  type PublisherOptions,
  type StoreFacts,
} from './metrics.ts'
export { type ProcessFacts, type ProcessReader, processReader } from './process.ts'
export type { Percentiles } from './ring.ts'
export { SelfMetrics } from './self.ts'
export { HOST_SIGNAL_INFO, type ModelInfo, type ShapFeature, type SignalInfo } from './series.ts'
export type { MetricsText } from './texts.ts'
