/** Severity by the one table: what an operator should do. A score alone never makes a critical. */
import type { Resource, Risk, Severity } from '../types.ts'

const WARNING_SURE = 0.5
const CRITICAL_SURE = 0.8
const HOUR = 3600
/** A resource that may run out within so many seconds. */
const WARNING_LEFT = 24 * HOUR
const CRITICAL_LEFT = 4 * HOUR
/** A resource this full has reached its hard limit. */
const HARD_LIMIT = 0.99

export interface SeverityInputs {
  readonly risk: Risk
  readonly alarm: boolean
  /** Null where rules alone speak: what they exceed is a fact, not a guess. */
  readonly confidence: number | null
  readonly trust: number
  readonly symptoms: readonly string[]
  readonly resources: readonly Resource[]
  /** Seconds to the lower bound of when each resource runs out, for those that a forecast says it of. */
  readonly exhaustion?: readonly { readonly resource: string; readonly seconds: number; readonly sentence?: string }[]
}

export interface Decision {
  readonly severity: Severity
  readonly reason: string
}

export function severityOf(inputs: SeverityInputs): Decision {
  const { resources, exhaustion = [] } = inputs
  const exhausted = resources.find((r) => r.used >= HARD_LIMIT)
  if (exhausted) return { severity: 'critical', reason: `${exhausted.resource} has reached its limit` }
  const none: (typeof exhaustion)[number] = { resource: '', seconds: Infinity }
  const next = exhaustion.reduce((a, b) => (b.seconds < a.seconds ? b : a), none)
  const soon = next.sentence ?? `${next.resource} may run out within ${(next.seconds / HOUR).toFixed(1)} hours`
  if (next.seconds <= CRITICAL_LEFT) return { severity: 'critical', reason: soon }
  const decision = byRisk(inputs)
  if (next.seconds <= WARNING_LEFT && (decision.severity === 'none' || decision.severity === 'info')) {
    return { severity: 'warning', reason: soon }
  }
  return decision
}

function byRisk({ risk, alarm, confidence, trust, symptoms }: SeverityInputs): Decision {
  if (risk === 'green') {
    return alarm
      ? { severity: 'info', reason: 'unusual, but risk is green' }
      : { severity: 'none', reason: 'risk is green' }
  }
  if (confidence === null) {
    return {
      severity: 'warning',
      reason: `risk ${risk} by rules${symptoms.length > 0 ? `: ${symptoms.join(', ')}` : ''}`,
    }
  }

  const sure = confidence * trust
  const words = `risk ${risk}, confidence x trust ${sure.toFixed(2)}`
  if (risk === 'red' && sure >= CRITICAL_SURE && symptoms.length > 0) {
    return { severity: 'critical', reason: `${words}, ${symptoms.join(', ')}` }
  }
  // Written so that a value that is not a number fails.
  if (sure >= WARNING_SURE) return { severity: 'warning', reason: words }
  return { severity: 'info', reason: `${words}: below ${WARNING_SURE}` }
}
