/** An error response of the service. */
export class Fault extends Error {
  readonly code: string
  readonly status: number

  constructor(status: number, code: string) {
    super(code)
    this.status = status
    this.code = code
  }
}
