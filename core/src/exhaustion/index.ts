export { ExhaustionTracker } from './tracker.ts'
export type { Exhaustion, ExhaustionState } from './types.ts'
