export {
  FAILURE_HORIZONS,
  FAILURE_SUBJECTS,
  type FailureSubject,
  RISK_COLUMN,
  RISK_FEATURES,
  type RiskFeature,
  subjectOf,
  TRUST_COLUMN,
} from './features.ts'
export {
  type FailureReason,
  type FailureReasons,
  type FailureTerm,
  type FailureTerms,
  failureProbabilities,
  failureReasons,
  termValue,
} from './model.ts'
export { type FailureContext, FailureTracker } from './tracker.ts'
