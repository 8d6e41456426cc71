export { csvHeader, csvLines, csvRow, formatValue } from './csv.ts'
export { STRICT, type Tolerance } from './failures.ts'
export { type FaultPlan, planFault } from './fault-run.ts'
export {
  FAILURE_KINDS,
  FAULT_KINDS,
  FAULTS,
  type FailureKind,
  type FaultKind,
  type FaultSpec,
  faultSpec,
  possibleFaults,
} from './faults.ts'
export {
  type FleetHost,
  type FleetOptions,
  failsWithin,
  generateFleet,
  record,
  type TruthArrays,
  timeToFailure,
} from './fleet.ts'
export {
  DEFAULT_START,
  type HostOptions,
  SimulatedHost,
  type SimulatedRow,
  type Truth,
} from './host.ts'
export { absentSignals, type HostProfile, type JobProfile, ROLES, type Role } from './profile.ts'
export { randomProfile } from './random-profile.ts'
export { SIGNAL_NAMES, type SimulatedResource } from './readings.ts'
