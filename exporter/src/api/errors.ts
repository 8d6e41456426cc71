/** The one error of the API and its one shape: `{error: {status, code, message, field?}}`. */
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { z } from 'zod'

export const errorSchema = z
  .strictObject({
    error: z.strictObject({
      status: z.int().describe('The HTTP status'),
      code: z.string().describe('A word for programs; it does not change'),
      message: z.string().describe('A sentence for people'),
      field: z.string().optional().describe('The parameter, key or header that is at fault'),
    }),
  })
  .describe('Why a request was refused')

export type ErrorBody = z.infer<typeof errorSchema>

export class ApiError extends Error {
  readonly status: ContentfulStatusCode
  readonly code: string
  readonly field: string | undefined
  /** Sent with the answer, such as `Allow`. */
  readonly headers: Readonly<Record<string, string>>

  constructor(
    status: ContentfulStatusCode,
    code: string,
    message: string,
    field?: string,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message)
    this.name = 'ApiError'
    this.status = status
    this.code = code
    this.field = field
    this.headers = headers
  }
}

export const errorBody = ({ status, code, message, field }: Omit<ApiError, 'name' | 'headers'>): ErrorBody => ({
  error: { status, code, message, ...(field !== undefined && { field }) },
})

/** A text from outside as it may be repeated in a message. */
export function quoted(text: string): string {
  const short = text.length > 100 ? `${text.slice(0, 100)}...` : text
  return JSON.stringify(short)
}
