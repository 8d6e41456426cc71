export { withExhaustion } from './failure.ts'
export {
  type FailureScorer,
  OutlookKeeper,
  type OutlookKeeperOptions,
  SERIES_HORIZONS,
  SERIES_SIGNALS,
} from './keeper.ts'
export { type CustomLimits, hostPlan, type OutlookPlan } from './plan.ts'
export { HEALTH, type OutlookRow, TargetOutlook } from './target.ts'
