import t from 'tap'
import { leadingEigenvectors } from '../../linalg/leading.ts'
import type { Manifest } from '../../manifest.ts'
import { DailyMembers, DailyPca, DailyVar, DailyZ } from './index.ts'
import type { DailyMember, DailyRow } from './types.ts'

const KINDS = 6
const FORGET = 0.85

/** Every kind that a manifest may name; the type says when one is missing. */
const MEMBERS: Record<NonNullable<Manifest['daily']>['members'][number]['kind'], (d: number) => DailyMember> = {
  z: (d) => new DailyZ(d, FORGET),
  pca: (d) => new DailyPca(d, FORGET),
  var: (d) => new DailyVar(d, FORGET, new Array<number>(d).fill(1)),
}

/** Numbers that look random and are the same everywhere. */
function noise(): () => number {
  let state = 1
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647 - 0.5
  }
}

/** Rows whose signals share a factor, features of a row all about its level. */
function rowsOf(d: number, n: number, shape: (i: number, j: number) => number = () => 0): DailyRow[] {
  const next = noise()
  return Array.from({ length: n }, (_, i) => {
    const factor = next()
    const level = Float64Array.from({ length: d }, (_, j) => factor + next() + shape(i, j))
    return {
      features: Float64Array.from({ length: KINDS * d }, (_, f) => (level[f % d] as number) + 0.1 * next()),
      present: new Uint8Array(d).fill(1),
    }
  })
}

function run(member: DailyMember, rows: readonly DailyRow[], rowsPerDay: number): number[] {
  return rows.map((row, i) => {
    const score = member.score(row)
    member.learn(row, 1)
    if ((i + 1) % rowsPerDay === 0) member.endDay()
    return score
  })
}

/** Its second signal moved. */
const shifted = (row: DailyRow, by: number): DailyRow => ({
  ...row,
  features: row.features.map((x, f) => (f % row.present.length === 1 ? x + by : x)),
})

for (const [kind, make] of Object.entries(MEMBERS)) {
  t.test(`${kind}: says nothing before its first evening, then a finite score`, async (t) => {
    const scores = run(make(4), rowsOf(4, 300), 100)
    t.ok(scores.slice(0, 100).every(Number.isNaN))
    t.ok(scores.slice(100).every((x) => Number.isFinite(x) && x >= 0))
  })

  t.test(`${kind}: what is more unusual scores higher`, async (t) => {
    const member = make(4)
    const rows = rowsOf(4, 400)
    run(member, rows, 100)
    const last = rows[399] as DailyRow
    const scores = [0, 2, 4, 8].map((by) => {
      const d = last.present.length
      const one = { ...last, features: last.features.map((x, f) => (f % d === 1 ? x + by : x)) }
      return member.score(one)
    })
    for (let k = 1; k < scores.length; k++) t.ok((scores[k] as number) > (scores[k - 1] as number), scores.join(' '))
  })

  t.test(`${kind}: constant input, one signal, and no signal at all end well`, async (t) => {
    const still = { features: new Float64Array(KINDS * 3).fill(0.7), present: new Uint8Array(3).fill(1) }
    t.ok(
      run(make(3), new Array(250).fill(still), 100)
        .slice(100)
        .every((x) => Math.abs(x) < 1),
    )
    t.ok(run(make(1), rowsOf(1, 250), 100).slice(100).every(Number.isFinite))
    const none = rowsOf(2, 250).map((row) => ({ ...row, present: new Uint8Array(2) }))
    t.ok(
      run(make(2), none, 100)
        .slice(100)
        .every((x) => x === 0),
    )
  })

  t.test(`${kind}: the number of an absent signal does not matter`, async (t) => {
    const absent = (value: number) =>
      rowsOf(3, 250).map(({ features }) => ({
        features: features.map((x, f) => (f % 3 === 2 ? value : x)),
        present: Uint8Array.of(1, 1, 0),
      }))
    t.same(run(make(3), absent(0), 100), run(make(3), absent(1e6), 100))
  })

  t.test(`${kind}: what was saved goes on where it stopped`, async (t) => {
    const rows = rowsOf(4, 520)
    const member = make(4)
    run(member, rows.slice(0, 250), 100)
    const again = make(4)
    again.restore(member.save())
    const tail = rows.slice(250)
    const step = (x: DailyMember) => run(x, tail, 100)
    t.same(step(again), step(member))
    t.throws(() => make(5).restore(member.save()), RangeError)
  })

  t.test(`${kind}: a score depends on no later row`, async (t) => {
    const rows = rowsOf(4, 420)
    const whole = run(make(4), rows, 100)
    t.same(run(make(4), rows.slice(0, 330), 100), whole.slice(0, 330))
  })

  t.test(`${kind}: a lasting change is forgiven within days, and rows that weigh nothing teach nothing`, async (t) => {
    const before = rowsOf(4, 400)
    const after = rowsOf(4, 1200).map((row) => shifted(row, 5))
    const member = make(4)
    run(member, before, 100)
    const scores = run(member, after, 100)
    const mean = (x: readonly number[]) => x.reduce((a, b) => a + b, 0) / x.length
    const [first, last] = [mean(scores.slice(0, 3)), mean(scores.slice(-100))]
    t.ok(last < first / 3, `${first} to ${last}`)

    const gated = make(4)
    run(gated, before, 100)
    const asBefore = gated.score(before[399] as DailyRow)
    for (const row of after.slice(0, 100)) gated.learn(row, 0)
    gated.reset()
    gated.endDay()
    t.ok(Math.abs(gated.score(before[399] as DailyRow) - asBefore) < 0.25 * Math.max(1, asBefore))
  })
}

t.test('daily z is the mean square about the fading mean of the days before', async (t) => {
  const member = new DailyZ(1, 0.5)
  const row = (x: number) => ({ features: new Float64Array(KINDS).fill(x), present: Uint8Array.of(1) })
  for (const x of [1, 3]) member.learn(row(x), 1)
  member.endDay()
  t.equal(member.score(row(5)), 9)
  for (const x of [8, 8]) member.learn(row(x), 1)
  member.endDay()
  // (0.5 * (1 + 3) + 16) / (0.5 * 2 + 2)
  t.equal(member.score(row(6)), 0)
  const shares = new Float64Array(8)
  member.contributions(row(9), shares, 1)
  t.same([...shares], [0, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 0], 'shares add up to the score')
})

t.test('daily var solves its ridge regression: a deterministic relation is foretold', async (t) => {
  const member = new DailyVar(2, 1, [1, 1])
  const rows: DailyRow[] = []
  let [a, b] = [1, 0]
  for (let i = 0; i < 4000; i++) {
    // A rotation: the next row is a fixed combination of the last one.
    ;[a, b] = [0.96 * a - 0.28 * b, 0.28 * a + 0.96 * b]
    rows.push({
      features: Float64Array.from({ length: 12 }, (_, f) => (f % 2 === 0 ? a : b)),
      present: Uint8Array.of(1, 1),
    })
  }
  const scores = run(member, rows, 2000)
  t.ok(Math.max(...scores.slice(2000)) < 0.02, `${Math.max(...scores.slice(2000))}`)
})

t.test('leading eigenvectors are those of a matrix that is known', async (t) => {
  const n = 6
  const values = [9, 5, 2, 0.5, 0.1, 0]
  // Householder reflection as the basis: Q = I - 2 v v'.
  const v = Float64Array.from({ length: n }, (_, i) => (i + 1) / Math.sqrt(91))
  const q = (i: number, k: number) => Number(i === k) - 2 * (v[i] as number) * (v[k] as number)
  const a = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++)
      values.forEach((x, k) => {
        a[i * n + j] = (a[i * n + j] as number) + x * q(i, k) * q(j, k)
      })
  }
  let found = leadingEigenvectors(a, n, 3)
  found = leadingEigenvectors(a, n, 3, found.vectors)
  for (let k = 0; k < 3; k++) {
    t.ok(Math.abs((found.values[k] as number) - (values[k] as number)) < 1e-3)
    let along = 0
    for (let i = 0; i < n; i++) along += q(i, k) * (found.vectors[i * 3 + k] as number)
    t.ok(Math.abs(Math.abs(along) - 1) < 1e-3)
  }
})

t.test('the members join after their days, forget what lies before a hole, and are kept over a restart', async (t) => {
  const distribution: [number, number][] = [
    [0, 0],
    [1, 1],
  ]
  const member = { weight: 1, calibration: { median: 0, q95: 1 }, distribution }
  const daily: NonNullable<Manifest['daily']> = {
    forget: FORGET,
    ready_days: 2,
    members: [
      { ...member, name: 'win_z_daily', kind: 'z' },
      { ...member, name: 'var_daily', kind: 'var', residual_scale: [1, 1] },
    ],
  }
  const rows = rowsOf(2, 80)
  const hourly = 3600
  const step = (x: DailyMembers, row: DailyRow) => {
    x.score(row.features, 0, (j) => row.present[j] === 1)
    const scores = [...x.scores]
    x.learn(1)
    return scores
  }
  const members = new DailyMembers(daily, 2, hourly)
  rows.slice(0, 48).forEach((row, i) => {
    t.equal(members.progress, i / 48)
    t.ok(step(members, row).every(Number.isNaN))
  })
  t.ok(step(members, rows[48] as DailyRow).every(Number.isFinite))
  const again = new DailyMembers(daily, 2, hourly)
  again.restore(JSON.parse(JSON.stringify(members.save())))
  for (const row of rows.slice(49)) t.same(step(again, row), step(members, row))
  t.throws(() =>
    new DailyMembers({ ...daily, members: [daily.members[0] as (typeof daily.members)[0]] }, 2, hourly).restore(
      members.save(),
    ),
  )
  members.reset()
  t.ok(step(members, rows[3] as DailyRow).every(Number.isFinite))
})
