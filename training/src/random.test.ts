import t from 'tap'
import { Random } from './random.ts'

t.test('a seed fixes the sequence, a label the stream, and a fork leaves its parent alone', async (t) => {
  const take = (random: Random) => Array.from({ length: 5 }, () => random.uniform())
  t.same(take(new Random(7)), take(new Random(7)))
  t.same(take(new Random(7)), take(new Random('7')))
  t.notSame(take(new Random(7)), take(new Random(8)))
  const parent = new Random(7)
  t.notSame(take(parent.fork('a')), take(parent.fork('b')))
  t.same(take(parent.fork('a')), take(parent.fork('a')))
  t.same(take(parent), take(new Random(7)))
  t.equal(new Set(Array.from({ length: 20_000 }, (_, i) => new Random(i).uniform())).size, 20_000)
})

t.test('uniform, normal and integer have the moments of their names', async (t) => {
  const random = new Random('moments')
  const n = 200_000
  const moments = (draw: () => number) => {
    let sum = 0
    let squares = 0
    let fourth = 0
    for (let i = 0; i < n; i++) {
      const x = draw()
      sum += x
      squares += x * x
      fourth += x ** 4
    }
    return [sum / n, squares / n, fourth / n] as const
  }
  const [mean, square] = moments(() => random.uniform())
  t.ok(Math.abs(mean - 0.5) < 0.003 && Math.abs(square - 1 / 3) < 0.003)
  const [zero, one, three] = moments(() => random.normal())
  t.ok(Math.abs(zero) < 0.01 && Math.abs(one - 1) < 0.015 && Math.abs(three - 3) < 0.1, `${zero} ${one} ${three}`)
  const [middle] = moments(() => random.integer(10))
  t.ok(Math.abs(middle - 4.5) < 0.03)
  t.ok(['a', 'b'].includes(random.choice(['a', 'b'])))
  t.throws(() => random.choice([]), /empty/)
})
