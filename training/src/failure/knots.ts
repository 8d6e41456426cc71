/** Where the terms of the failure model may bend: round levels that an operator would name. */
import type { RiskFeature } from '@portent/core'

const LEVEL = [0.6, 0.75, 0.85, 0.92, 0.97, 1] as const
const REACH = [0.05, 0.25, 0.5, 0.8, 1] as const
const PROBABILITY = [0.02, 0.2, 0.5, 0.8, 1] as const
const PAIR = [0, 0.3, 0.6, 1] as const
const SHARE = [0.002, 0.01, 0.03, 0.1, 0.3] as const

const GROWTH = [0.5, 1, 2, 4] as const

export const KNOTS: Readonly<Record<Exclude<RiskFeature, 'trust'>, readonly number[]>> = {
  anomaly: [0.5, 1, 2, 4],
  anomaly_frequency: [0, 0.3, 1],
  health_deficit: [8, 30, 60, 100],
  health_worst: [8, 50, 100],
  health_fall: [5, 30, 80],
  cpu_level: LEVEL,
  load_level: [1, 1.5, 2.5, 6],
  memory_level: [0.6, 0.75, 0.85, 0.92, 0.96, 0.985],
  swap_level: [0.5, 0.8, 0.95, 1],
  storage_level: [0.7, 0.85, 0.92, 0.97, 1],
  handles_level: LEVEL,
  iowait_level: [0.1, 0.25, 0.5, 0.8],
  disk_busy_level: [0.7, 0.9, 1],
  network_errors: SHARE,
  errors: SHARE,
  network_errors_lasting: SHARE,
  errors_lasting: SHARE,
  response_growth: GROWTH,
  response_growth_lasting: GROWTH,
  cpu_and_response: PAIR,
  io_and_response: PAIR,
  network_errors_and_silence: PAIR,
  errors_and_response: PAIR,
  memory_reach: REACH,
  storage_reach: REACH,
  handles_reach: REACH,
  cpu_reach: REACH,
  io_reach: REACH,
  network_reach: REACH,
  errors_reach: REACH,
  response_reach: REACH,
  memory_exhaustion: PROBABILITY,
  swapping_ahead: PROBABILITY,
  storage_exhaustion: PROBABILITY,
  handles_exhaustion: PROBABILITY,
}
