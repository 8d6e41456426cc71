/**
 * The service's own counters and histograms. prom-client holds the numbers (without its default metrics); they are printed
 * by our renderer, because prom-client renames a counter for good once it has been printed as OpenMetrics.
 */
import { Counter, Histogram, Registry } from 'prom-client'
import { type MetricSpec, SELF_METRICS, type SelfMetric } from './catalogue.ts'
import { bound, type FamilyBody, familyBody, formatValue, prefix, printable } from './exposition.ts'
import { LatencyRing, MinuteRate, type Percentiles } from './ring.ts'

/** A label value of a closed list, `other` where it is none of them. */
type Labels = Readonly<Record<string, string>>

export class SelfMetrics {
  readonly #registry = new Registry()
  readonly #counters = new Map<string, Counter>()
  readonly #histograms = new Map<string, Histogram>()
  readonly #specs = new Map<string, MetricSpec>(SELF_METRICS.map((spec) => [spec.name, spec]))
  readonly #cycles = new LatencyRing()
  readonly #inferences = new LatencyRing()
  readonly #requests = new MinuteRate()
  readonly #monotonic: () => number

  /** `monotonic`: ms. */
  constructor(monotonic: () => number = () => performance.now()) {
    this.#monotonic = monotonic
    for (const spec of SELF_METRICS as readonly MetricSpec[]) {
      const common = { name: spec.name, help: spec.help, labelNames: [...spec.labels], registers: [this.#registry] }
      if (spec.type === 'histogram') {
        this.#histograms.set(spec.name, new Histogram({ ...common, buckets: [...(spec.buckets ?? [])] }))
        continue
      }
      const counter = new Counter(common)
      this.#counters.set(spec.name, counter)
      const label = spec.labels[0]
      const values = label === undefined ? undefined : spec.values?.[label]
      // Known series start at 0, so that the first increase is an increase to `rate()`.
      if (label !== undefined) for (const value of values ?? []) counter.inc({ [label]: value }, 0)
    }
  }

  /** Adds to a counter; a value that is no finite number >= 0 is ignored (prom-client would keep NaN for ever). */
  count(name: SelfMetric, labels: Labels = {}, by = 1): void {
    if (!Number.isFinite(by) || by < 0) return
    this.#counters.get(name)?.inc(this.#closed(name, labels), by)
  }

  cycle(seconds: number): void {
    this.count('portent_cycles_total')
    this.#observe('portent_cycle_duration_seconds', {}, seconds)
    this.#cycles.add(seconds)
  }

  cycleError(step: string): void {
    this.count('portent_cycle_errors_total', { step })
  }

  inference(seconds: number): void {
    this.#observe('portent_inference_duration_seconds', {}, seconds)
    this.#inferences.add(seconds)
  }

  rowDropped(reason: string, rows = 1): void {
    this.count('portent_rows_dropped_total', { reason }, rows)
  }

  nonFinite(values: number): void {
    this.count('portent_non_finite_total', {}, values)
  }

  bundleLoadFailure(reason: string): void {
    this.count('portent_bundle_load_failures_total', { reason })
  }

  /** `route`: the pattern, never the path of a request. */
  httpRequest(route: string, method: string, code: number, seconds: number): void {
    const known = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].includes(method) ? method : 'other'
    this.count('portent_http_requests_total', { route, method: known, code: String(code) })
    this.#observe('portent_http_request_duration_seconds', { route }, seconds)
    this.#requests.add(this.#monotonic())
  }

  /** For people; the histograms are for Prometheus. */
  latencies(): { cycle: Percentiles | null; inference: Percentiles | null; requestsPerMinute: number } {
    return {
      cycle: this.#cycles.percentiles(),
      inference: this.#inferences.percentiles(),
      requestsPerMinute: this.#requests.perMinute(this.#monotonic()),
    }
  }

  async render(): Promise<FamilyBody[]> {
    const families: FamilyBody[] = []
    for (const metric of await this.#registry.getMetricsAsJSON()) {
      const spec = this.#specs.get(metric.name)
      if (spec === undefined) continue
      let body = ''
      for (const sample of metric.values as unknown as readonly PromSample[]) body += line(spec, sample)
      families.push(familyBody(spec, body))
    }
    return families
  }

  #observe(name: SelfMetric, labels: Labels, value: number): void {
    if (Number.isFinite(value) && value >= 0) this.#histograms.get(name)?.observe(labels, value)
  }

  #closed(name: SelfMetric, labels: Labels): Record<string, string> {
    const values = this.#specs.get(name)?.values
    const closed: Record<string, string> = { ...labels }
    if (values === undefined) return closed
    for (const [label, allowed] of Object.entries(values)) {
      if (!allowed.includes(closed[label] ?? '')) closed[label] = 'other'
    }
    return closed
  }
}

interface PromSample {
  readonly value: number
  readonly labels: Readonly<Record<string, string | number>>
  readonly metricName?: string
}

function line(spec: MetricSpec, { value, labels, metricName }: PromSample): string {
  if (!printable(value)) return ''
  const names = 'le' in labels ? [...spec.labels, 'le'] : spec.labels
  const values = names.map((name) => {
    const label = labels[name]
    return name === 'le' ? bound(label === '+Inf' ? Number.POSITIVE_INFINITY : Number(label)) : String(label ?? '')
  })
  return `${prefix(metricName ?? spec.name, names, values)}${formatValue(value)}\n`
}
