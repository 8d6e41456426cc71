/** The rules in common use, restated: alerts a minute, 0 or 1, of a used share. */

/** node-mixin, NodeFilesystemSpaceFillingUp (warning): full within 24 h by the last 6 h, and less than 40 % free, for 1 h. */
const NODE_MIXIN = {
  name: 'node-mixin, 6 h -> 24 h, < 40 % free, 1 h',
  alert: (series) =>
    forMinutes(
      growing(series, 6 * 3600, (used) => used > 0.6),
      60,
    ),
}
/** awesome-prometheus-alerts, HostDiskWillFillIn24Hours: full within 24 h by the last 3 h, for 2 m. */
const AWESOME = {
  name: 'awesome-prometheus-alerts, 3 h -> 24 h, 2 m',
  alert: (series) =>
    forMinutes(
      growing(series, 3 * 3600, () => true),
      2,
    ),
}
const LEVEL = {
  name: 'level, 90 % for 15 m',
  alert: (series) =>
    forMinutes(
      minutes(series).map(([at, used]) => [at, used > 0.9]),
      15,
    ),
}
export const RULES = [NODE_MIXIN, AWESOME, LEVEL]

/** Evaluated once a minute, on the newest row. */
function minutes({ at, values, limit }) {
  const rows = []
  for (let i = 0; i < at.length; i++) {
    const used = limit.direction === 'up' ? values[i] / limit.capacity : 1 - (values[i] - limit.capacity)
    if (Number.isFinite(used) && (rows.length === 0 || at[i] - rows.at(-1)[0] >= 60)) rows.push([at[i], used])
  }
  return rows
}

/** predict_linear(free[window], 24 h) < 0. */
function growing(series, window, also) {
  const rows = minutes(series)
  const start = rows[0]?.[0] ?? 0
  let [from, n, t, tt, y, ty] = [0, 0, 0, 0, 0, 0]
  const add = ([at, used], sign) => {
    const x = (at - start) / 3600
    n += sign
    t += sign * x
    tt += sign * x * x
    y += sign * used
    ty += sign * x * used
  }
  return rows.map((row) => {
    add(row, 1)
    for (; rows[from][0] < row[0] - window; from++) add(rows[from], -1)
    const spread = tt - (t * t) / n
    if (n < 2 || spread <= 0) return [row[0], false]
    const slope = (ty - (t * y) / n) / spread
    const ahead = y / n + slope * ((row[0] - start) / 3600 + 24 - t / n)
    return [row[0], ahead > 1 && also(row[1])]
  })
}

function forMinutes(conditions, minutes) {
  let since = null
  const out = { at: [], alert: [] }
  for (const [at, holds] of conditions) {
    since = holds ? (since ?? at) : null
    out.at.push(at)
    out.alert.push(since !== null && at - since >= minutes * 60 ? 1 : 0)
  }
  return out
}
