import type { IncomingMessage } from 'node:http'
import type { ResponseHead } from '../../uploader/response-head.js'

/** The head of a Node response. */
export function headOf({ statusCode, headers }: IncomingMessage): ResponseHead {
  return {
    status: statusCode ?? 0,
    header(name) {
      const value = headers[name.toLowerCase()]
      const text = (Array.isArray(value) ? value[0] : value)?.trim()
      return text === '' ? undefined : text
    },
  }
}
