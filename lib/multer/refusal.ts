import type { OutgoingHttpHeaders } from 'node:http'
import { asError, errorCode } from '../util/errors.js'

/** An error with an HTTP status, which `onUpload` sends to the client. */
export class HandlerRefusal extends Error {
  readonly status: number
  readonly headers: OutgoingHttpHeaders

  constructor(status: number, message: string, headers: OutgoingHttpHeaders = {}) {
    super(message)
    this.status = status
    this.headers = headers
  }
}

/** Keeps status and headers of `error`, and adds that the file is still where the engine stored it. */
export function withRemovalFailure(error: unknown, removal: unknown): Error {
  // A handler may have removed the file before it refused it.
  if (errorCode(removal) === 'ENOENT') return asError(error)
  const message = `${asError(error).message} The engine could not remove the file: ${asError(removal).message}`
  const combined = new Error(message, { cause: error })
  if (typeof error !== 'object' || error === null) return combined
  const { status = Reflect.get(error, 'statusCode'), headers }: { status?: unknown; headers?: unknown } =
    error
  return Object.assign(combined, { status, headers })
}
