/** Why a request is not let through, as it is answered. */
export class Refusal extends Error {
  readonly status: 401 | 403 | 429 | 503
  /** A word for programs. */
  readonly code: string
  /** Sent with the answer. */
  readonly headers: Readonly<Record<string, string>>

  constructor(
    status: Refusal['status'],
    code: string,
    message: string,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message)
    this.name = 'Refusal'
    this.status = status
    this.code = code
    this.headers = headers
  }
}
