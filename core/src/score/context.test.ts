/** Recurring jobs and workloads that stop. */
import t from 'tap'
import { Recurrence } from './recurrence.ts'
import { Stopped } from './stopped.ts'

const MINUTE = 60_000
const DAY = 1440 * MINUTE

/** Days of minutes with one job; returns the scores that were over what was expected. */
function live(
  days: number,
  job: (day: number, minute: number) => { score: number; leading: number } | null,
  watch = new Recurrence(60),
) {
  const alarms: number[] = []
  for (let day = 0; day < days; day++) {
    let count = 0
    for (let minute = 0; minute < 1440; minute++) {
      const at = day * DAY + minute * MINUTE
      const now = job(day, minute)
      const score = now?.score ?? 0
      const contributions = Float64Array.from({ length: 6 }, (_, j) =>
        now && j >= now.leading && j < now.leading + 3 ? 5 - j / 10 : 0,
      )
      const threshold = watch.isOf(score, 1) ? Math.max(1, watch.expected(at, contributions) ?? 1) : 1
      if (score > threshold) count++
      watch.step(at, score, 1, contributions)
    }
    alarms.push(count)
  }
  return alarms
}

const backup =
  (from: number, minutes: number, score = 2, leading = 0) =>
  (_: number, minute: number) =>
    minute >= from && minute < from + minutes ? { score, leading } : null

t.test('a job at the same hour is silent from its sixth day on', async (t) => {
  t.same(live(9, backup(180, 30)), [30, 30, 30, 30, 30, 0, 0, 0, 0])
})

t.test('a job that begins a minute sooner or later, or takes a little longer, is the same job', async (t) => {
  const alarms = live(9, (day, minute) => backup(180 + (day % 2), 30 + day)(day, minute))
  t.same(alarms.slice(5), [0, 0, 0, 0])
})

t.test('a job of one weekday is silent from its fourth week on', async (t) => {
  const alarms = live(30, (day, minute) => (day % 7 === 0 ? backup(180, 30)(day, minute) : null))
  t.same(
    [0, 7, 14, 21, 28].map((day) => alarms[day]),
    [30, 30, 30, 0, 0],
  )
})

t.test('what is higher, led by other signals, at another hour or does not end is news', async (t) => {
  const on = (last: (day: number, minute: number) => { score: number; leading: number } | null) =>
    live(8, (day, minute) => (day < 7 ? backup(180, 30)(day, minute) : last(day, minute)))[7]
  t.equal(on(backup(180, 30)), 0)
  t.equal(on(backup(180, 30, 2.5)), 30, 'higher')
  t.equal(on(backup(180, 30, 2, 3)), 30, 'other signals')
  t.equal(on(backup(200, 30)), 30, 'another hour')
  t.equal(on(backup(180, 90)), 90 - 44, 'longer: until half as long again as the longest before')
})

t.test('a day without the job, a blip or an incident of many hours excuses nothing', async (t) => {
  const skipped = live(7, (day, minute) => (day === 3 ? null : backup(180, 30)(day, minute)))
  t.equal(skipped[6], 30)
  t.equal(live(9, backup(180, 3))[8], 3)
  t.equal(live(9, backup(180, 420))[8], 420)
})

t.test('episodes are kept over a restart, and bounded', async (t) => {
  const before = new Recurrence(60)
  live(6, backup(180, 30), before)
  const after = new Recurrence(60)
  after.restore(JSON.parse(JSON.stringify(before.save())))
  t.same(after.save(), before.save())
  const busy = new Recurrence(60)
  live(22, (_, minute) => (minute % 20 < 8 ? { score: 2, leading: 0 } : null), busy)
  t.equal(busy.save().length, 512)
})

t.test('a signal that was never 0 and stays at 0 has stopped', async (t) => {
  const watch = new Stopped(['requests', 'errors', 'short'], [undefined, undefined, undefined], 3600)
  for (let hour = 0; hour < 30; hour++) {
    watch.step({ requests: 0.01, errors: hour % 5 === 0 ? 1 : 0, ...(hour > 20 ? { short: 1 } : {}) })
    t.same(watch.signals, [])
  }
  const found = [0, 0, 0, 0].map((requests) => {
    watch.step({ requests, errors: 0, short: 0 })
    return watch.signals
  })
  t.same(
    found,
    [[], [], ['requests'], ['requests']],
    'from the third row on; errors are often 0, short is not known yet',
  )
  watch.step({ requests: Number.NaN })
  watch.step({ requests: 1, errors: 0, short: 0 })
  t.same(watch.signals, [])
})

t.test('training knows from the first row on, a day at 0 is usual, and state is kept', async (t) => {
  const watch = new Stopped(['a', 'b'], [true, false], 3600)
  const run = Array.from({ length: 30 }, () => {
    watch.step({ a: 0, b: 0 })
    return watch.signals.join()
  })
  t.same(run.slice(0, 4), ['', '', 'a', 'a'])
  t.equal(run[23], 'a')
  t.equal(run[24], '', 'a day later')
  const again = new Stopped(['a', 'b'], [true, false], 3600)
  again.restore(JSON.parse(JSON.stringify(watch.save())))
  t.same(again.save(), watch.save())
})
