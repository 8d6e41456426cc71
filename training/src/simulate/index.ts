export { csvHeader, csvLines, csvRow, formatValue } from './csv.ts'
export {
  FAILURE_KINDS,
  FAULT_KINDS,
  FAULTS,
  type FailureKind,
  type FaultKind,
  type FaultPlan,
  type FaultSpec,
  faultSpec,
  planFault,
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
  SIGNAL_NAMES,
  SimulatedHost,
  type SimulatedResource,
  type SimulatedRow,
  type Truth,
} from './host.ts'
export { absentSignals, type HostProfile, ROLES, type Role } from './profile.ts'
export { randomProfile } from './random-profile.ts'
