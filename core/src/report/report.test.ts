import t from 'tap'
import { band, escapeHtml, frame, lanes, linear, path, thinned, timeAxis } from './index.ts'

t.test('a line and a band are broken where nothing is known', (t) => {
  t.equal(
    path(
      [
        [0, 1],
        [1, 2],
        [2, Number.NaN],
        [3, 4.04],
      ],
      'a',
    ),
    '<path class="a" d="M0 1L1 2M3 4"/>',
  )
  t.equal(
    band(
      [
        [0, 5, 1],
        [1, 6, 2],
        [2, Number.NaN, 3],
        [3, 7, 3],
        [4, 8, 4],
      ],
      'b',
    ),
    '<path class="b" d="M0 5L1 6L1 2L0 1ZM3 7L4 8L4 4L3 3Z"/>',
  )
  t.end()
})

t.test('a thinned line keeps its spikes and its gaps', (t) => {
  const at = Array.from({ length: 1000 }, (_, i) => 60 * i + (i >= 500 ? 6000 : 0))
  const values = at.map((_, i) => (i === 333 ? 9 : i === 777 ? -9 : i % 7 === 3 ? Number.NaN : 1))
  const points = thinned(at, values, { buckets: 50, gap: 300 })
  t.ok(points.length <= 2 * 50 + 2, `${points.length}`)
  t.ok(points.some(([x, y]) => x === at[333] && y === 9))
  t.ok(points.some(([x, y]) => x === at[777] && y === -9))
  const breaks = points.filter(([, y]) => Number.isNaN(y))
  t.strictSame(breaks, [[at[499], Number.NaN]], 'where the rows stop, and nowhere else')
  const known = points.filter(([, y]) => !Number.isNaN(y)).map(([x]) => x)
  t.strictSame(
    known,
    known.toSorted((a, b) => a - b),
  )
  t.strictSame(thinned([], [], { buckets: 5, gap: 1 }), [])
  t.strictSame(thinned([7], [1], { buckets: 5, gap: 1 }), [[7, 1]])
  t.end()
})

t.test('an axis of time has round labels in UTC', (t) => {
  const day = 86_400
  const days = timeAxis(10 * day, 20 * day, 10)
  t.strictSame(days.ticks.map(days.label).slice(0, 2), ['01-11', '01-12'])
  const hours = timeAxis(10 * day + 100, 11 * day, 10)
  t.strictSame(hours.ticks.map(hours.label).slice(0, 2), ['03:00', '06:00'])
  t.strictSame([days.place(10 * day), days.place(15 * day), days.place(99 * day)], [0, 0.5, 1])
  t.end()
})

t.test('charts of one margin share their places, and names cannot break out of the page', (t) => {
  const x = linear(0, 10, [0, 10])
  const chart = frame(
    { title: '<b>"x"', width: 300, height: 100, left: 100, x, y: linear(0, 1, [1]), xTitle: 'a & b' },
    (px) => path([[px(5), 1]], 'c'),
  )
  t.match(chart, 'aria-label="&#60;b&#62;&#34;x&#34;"')
  t.match(chart, 'a &#38; b</text>')
  t.match(chart, 'd="M188 1"')
  const drawn = lanes({ title: 'rules', width: 300, left: 100, x }, [
    { label: 'a<', className: 'own', spans: [{ from: 5, to: 6, title: 'since <5' }] },
  ])
  t.match(drawn, '<rect class="own" x="188" y="3" width="17.6" height="10"><title>since &#60;5</title></rect>')
  t.match(drawn, '>a&#60;</text>')
  t.equal(escapeHtml(`&<>"'`), '&#38;&#60;&#62;&#34;&#39;')
  t.end()
})
