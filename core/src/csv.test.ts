import t from 'tap'
import { CsvError, parseCsv } from './csv.ts'

t.test('a table is read with its times, numbers and missing values', async (t) => {
  const table = parseCsv('timestamp,a,fault,b\n10,1,none,2e-3\n20,,x,NaN\n30.5, nan ,"a, ""b""",-.5\n')
  t.strictSame([...table.columns], ['a', 'b'])
  t.strictSame([...table.ignored], ['fault'])
  t.equal(table.rows, 3)
  t.strictSame([...table.values], [1, 0.002, Number.NaN, Number.NaN, Number.NaN, -0.5])
  t.strictSame([...(table.at ?? [])], [10_000, 20_000, 30_500])
  t.strictSame([...(table.stamps ?? [])], ['10', '20', '30.5'])
})

t.test('byte order marks, CRLF, quotes and a missing last line end are read', async (t) => {
  const table = parseCsv('\uFEFF"a", b\r\n"1",2\r\n 3 ,"4"')
  t.strictSame([...table.columns], ['a', 'b'])
  t.strictSame([...table.values], [1, 2, 3, 4])
  t.equal(table.at, null)
  t.equal(parseCsv('a\n1\n\n2\n\n\n').rows, 3, 'an empty line of a single column is a missing value, but at the end')
  const many = parseCsv(`a,b\n${'1,2\n'.repeat(5000)}`)
  t.equal(many.values.length, 10_000)
})

t.test('times are seconds, milliseconds or ISO 8601', async (t) => {
  const at = (text: string) => parseCsv(`timestamp,a\n${text},1\n`).at?.[0]
  t.equal(at('1767571200'), 1_767_571_200_000)
  t.equal(at('1767571200000'), 1_767_571_200_000)
  t.equal(at('-5'), -5000)
  for (const text of ['2026-01-05', '2026-01-05 00:00', '2026-01-05T00:00:00', '2026-01-05T00:00:00.000Z'])
    t.equal(at(text), 1_767_571_200_000, text)
  t.equal(at('2026-01-05T01:00:00+01:00'), 1_767_571_200_000)
})

t.test('columns that are no signals are not looked into', async (t) => {
  const table = parseCsv('a,note,b\n1,hello,2\n', { isSignal: (column) => column !== 'note' })
  t.strictSame([...table.columns], ['a', 'b'])
  t.strictSame([...table.ignored], ['note'])
  t.strictSame([...table.values], [1, 2])
})

t.test('what cannot be read is refused with line and column', async (t) => {
  const cases: [text: string, message: string][] = [
    ['', 'the file is empty'],
    ['\n\n', 'the file is empty'],
    ['a,b\n', 'no rows after the header'],
    ['1,2\n3,4\n', 'line 1: the first line must name the columns, found numbers'],
    ['a,,c\n1,2,3\n', 'line 1: column 2 has no name'],
    ['a,b,a\n1,2,3\n', 'line 1, column a: named twice in the header'],
    ['timestamp,a,timestamp\n1,2,3\n', 'line 1, column timestamp: named twice in the header'],
    ['a,b\n1,2\n1\n', 'line 3: 1 cell, the header names 2'],
    ['a,b\n1,2,3\n', 'line 2: 3 cells, the header names 2'],
    ['a,b\n1,2\n\n3,4\n', 'line 3: an empty line, the header names 2'],
    ['a,b\n1,2\n3,abc\n', 'line 3, column b: expected a number, found "abc"'],
    ['a\n0x10\n', 'line 2, column a: expected a number, found "0x10"'],
    ['a\n1_000\n', 'line 2, column a: expected a number, found "1_000"'],
    ['a\nInfinity\n', 'line 2, column a: expected a number, found "Infinity"'],
    ['a\n1e999\n', 'line 2, column a: "1e999" is too large for a number'],
    [`a\n${'x'.repeat(60)}\n`, `line 2, column a: expected a number, found "${'x'.repeat(37)}..."`],
    ['a,b\n1,"2\n', 'line 2: cell 2: a quote that is not closed, or not doubled'],
    ['a,b\n1,"2"3\n', 'line 2: cell 2: a quote that is not closed, or not doubled'],
    ['timestamp,a\n1,1\n3,1\n2,1\n', 'line 4, column timestamp: 2 comes after 3: times must increase from row to row'],
    [
      'timestamp,a\n1,1\n1,1\n',
      'line 3, column timestamp: 1 repeats the row before: times must increase from row to row',
    ],
    ['timestamp,a\n,1\n', 'line 2, column timestamp: expected seconds or a date and time, found nothing'],
    ['timestamp,a\nsoon,1\n', 'line 2, column timestamp: expected seconds or a date and time, found "soon"'],
    [
      'timestamp,a\n2026-13-01,1\n',
      'line 2, column timestamp: expected seconds or a date and time, found "2026-13-01"',
    ],
  ]
  for (const [text, message] of cases) {
    try {
      parseCsv(text)
      t.fail(`read: ${text}`)
    } catch (error) {
      t.ok(error instanceof CsvError)
      t.equal((error as Error).message, message)
    }
  }
})
