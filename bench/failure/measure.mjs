/** What probabilities of failure are worth on hosts whose failures are known. */
import { FAILURE_HORIZONS, failureProbabilities } from '../../core/dist/index.js'
import { judgeProbabilities, replay } from '../../training/dist/failure/index.js'

const WEEK = 7 * 86_400
const STEP = 300
/** Alarms closer than this are one. */
const TOGETHER = 1800
const DAY = 86_400

/** A rule that needs no model: one look at the levels. */
const isFlagged = (v) =>
  v.cpu_busy_ratio > 0.9 ||
  v.memory_used_ratio > 0.9 ||
  v.disk_used_ratio > 0.9 ||
  v.cpu_iowait_ratio > 0.4 ||
  v.network_error_ratio > 0.05 ||
  v.error_ratio > 0.05

/** The samples of a host with their probabilities. */
export function predict(host, model) {
  const samples = replay(host.life)
    .filter((s) => s.at >= host.from)
    .map((s) => ({
      at: s.at,
      secondsToFailure: s.secondsToFailure,
      probabilities: failureProbabilities(model, s.features),
      isFlagged: isFlagged(host.life.values(s.t)),
    }))
  return { ...host, samples, end: host.life.at[host.life.at.length - 1] }
}

/** @param threshold of an alarm; null = the least with one false alarm a host-week */
export function measure(hosts, h, threshold = null) {
  const horizon = FAILURE_HORIZONS[h]
  // What follows the end of a recording is not known.
  const known = hosts.map((host) => ({
    ...host,
    samples: host.samples.filter((s) => s.secondsToFailure !== Infinity || s.at + horizon <= host.end),
  }))
  const all = known.flatMap((host) => host.samples)
  const labels = all.map((s) => Number(s.secondsToFailure <= horizon))
  const judged = judgeProbabilities(
    all.map((s) => s.probabilities[h]),
    labels,
  )
  const rate = (flag) => {
    const of = labels.filter((_, i) => all[i].isFlagged === flag)
    return of.length === 0 ? 0 : of.reduce((a, b) => a + b, 0) / of.length
  }
  const rates = [rate(false), rate(true)]
  const flag = judgeProbabilities(
    all.map((s) => rates[Number(s.isFlagged)]),
    labels,
  )
  return { horizon, samples: all.length, ...judged, flag, ...detection(known, h, horizon, threshold) }
}

function detection(hosts, h, horizon, threshold) {
  const weeks = hosts.reduce((sum, host) => sum + host.samples.length * STEP, 0) / WEEK
  const at = (p) => alarms(hosts, h, horizon, p)
  let least = threshold
  for (let p = 0.01; least === null && p <= 1; p += 0.01) if (at(p).falseAlarms <= weeks || p > 0.985) least = p
  const { falseAlarms, leads } = at(least)
  const found = leads.filter((x) => x !== null).sort((a, b) => a - b)
  return {
    threshold: least,
    falseAlarmsPerWeek: falseAlarms / weeks,
    failures: leads.length,
    found: found.length,
    medianLeadMinutes: found.length === 0 ? null : found[found.length >> 1] / 60,
  }
}

function alarms(hosts, h, horizon, threshold) {
  let falseAlarms = 0
  const leads = []
  for (const { samples, failures } of hosts) {
    const hits = samples.filter((s) => s.probabilities[h] >= threshold)
    const episodes = []
    for (const { at } of hits) {
      const last = episodes.at(-1)
      if (last && at - last.end <= TOGETHER) last.end = at
      else episodes.push({ start: at, end: at })
    }
    const isTrue = ({ start, end }) => failures.some((f) => start < f.at && end + horizon >= f.at)
    falseAlarms += episodes.filter((e) => !isTrue(e)).length
    const first = samples[0]?.at ?? Infinity
    for (const f of failures) {
      if (f.at <= first) continue
      const hit = hits.find((s) => s.at < f.at && s.at >= Math.max(f.onset, f.at - DAY))
      leads.push(hit ? f.at - hit.at : null)
    }
  }
  return { falseAlarms, leads }
}
