import { z } from 'zod'
import { ApiError } from '../errors.ts'
import { defineRoute } from '../route.ts'
import { MOST_LISTED, MOST_VALUES, type ReadRows, readRows, rowSchema } from '../rows.ts'

const count = z.int().min(0)

const body = z.strictObject({
  rows: z.array(rowSchema).min(1).max(MOST_VALUES).describe(`In any order; at most ${MOST_VALUES} values in all`),
})

const envelope = z.strictObject({ rows: z.array(z.unknown()).min(1).max(MOST_VALUES) })

export const ingest = defineRoute({
  method: 'POST',
  path: '/ingest',
  scope: 'write',
  summary: 'Takes rows of other targets',
  description:
    'Answers once the rows are on disk; they are scored with the next cycle. A row is known by its target and timestamp ' +
    '(to the millisecond): one that is there already is counted as a duplicate and changes nothing, so that a batch can ' +
    'be sent again whenever its fate is not known. Rows that come faster than the score interval are averaged over it ' +
    'before they are scored. A row older than the newest of its target is late: it is kept in the history and not scored. ' +
    'A batch may be sound in part: all sound rows are taken, the others are listed in `rejected`, and the status is 200; ' +
    'it is 400 where no row is sound, and 409 where all were refused by a limit on targets or signals. ' +
    'A signal that the bundle does not know is kept and shown, and the rules see it, but no model does.',
  errors: [409, 413, 415, 503],
  largeBody: true,
  // Rows of a time long past are refused: the example is of now.
  example: () => ({
    rows: [
      { target: 'web-1', timestamp: Math.floor(Date.now() / 1000) - 10, values: { cpu_busy: 0.31, memory_used: 0.62 } },
      {
        target: 'web-1',
        timestamp: new Date().toISOString(),
        values: { cpu_busy: 0.35, orders_waiting: 12 },
        resources: [{ resource: 'filesystem:/var', used: 0.71 }],
      },
    ],
  }),
  body,
  readBody: (json, now): ReadRows => {
    const result = envelope.safeParse(json)
    if (result.success) return readRows(result.data.rows, now)
    const [issue] = result.error.issues
    const field = issue?.code === 'unrecognized_keys' ? issue.keys[0]?.slice(0, 100) : issue?.path.join('.')
    const code = issue?.code === 'unrecognized_keys' ? 'unknown_key' : 'invalid'
    throw new ApiError(400, code, `the body must be {"rows": [...]} of 1 to ${MOST_VALUES} rows`, field || undefined)
  },
  response: z.strictObject({
    accepted: count.describe('Rows that are stored now and were not before, late ones included'),
    duplicates: count.describe('Rows that were stored before; nothing was changed'),
    late: count.describe('Of those accepted: older than the newest row of their target, kept but not scored'),
    rejected_rows: count,
    rejected: z
      .array(z.strictObject({ row: count, field: z.string(), message: z.string() }))
      .describe(`What is wrong with the rows that were not taken; the first ${MOST_LISTED} of them`),
  }),
  async handler({ deps, body: read }) {
    if (read.rows.length === 0) {
      const [first] = read.rejected
      const why = `none of the ${read.rejectedRows} rows is sound; the first: ${first?.field} ${first?.message}`
      throw new ApiError(400, 'no_sound_row', why, first?.field)
    }
    const { accepted, duplicates, late, rejected } = await deps.ingest(read.rows).catch((error: unknown) => {
      deps.log.error({ err: error }, 'pushed rows could not be stored')
      const why = 'the rows could not all be stored; send them again: those that were count as duplicates'
      throw new ApiError(503, 'not_stored', why, undefined, { 'Retry-After': '5' })
    })
    if (accepted + duplicates === 0) {
      const first = rejected[0]
      const bounded = rejected.length > 0 && rejected.every((r) => r.limit !== undefined)
      const why = `none of the rows was taken; the first: ${first?.field} ${first?.message}`
      throw new ApiError(bounded ? 409 : 400, bounded ? 'limit_reached' : 'no_sound_row', why, first?.field)
    }
    return {
      accepted,
      duplicates,
      late,
      rejected_rows: read.rejectedRows + rejected.length,
      rejected: [...read.rejected, ...rejected]
        .sort((a, b) => a.row - b.row)
        .slice(0, MOST_LISTED)
        .map(({ row, field, message }) => ({ row, field, message })),
    }
  },
})
