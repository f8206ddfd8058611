import { parseArgs } from 'node:util'

export interface Arguments {
  /** Exit after the demonstration instead of continuing to serve. */
  readonly once: boolean
  readonly host: string
  readonly port: number
  /** The directory for uploaded files. */
  readonly directory: string
}

/** @throws TypeError for invalid arguments, with a message for the user. */
export function readArguments(words: string[]): Arguments {
  const { values } = parseArgs({
    args: words,
    options: {
      once: { type: 'boolean', default: false },
      host: { type: 'string', default: '127.0.0.1' },
      port: { type: 'string', default: '8080' },
      directory: { type: 'string', default: './uploads' },
    },
  })
  if (!/^\d{1,5}$/.test(values.port) || Number(values.port) > 65_535) {
    throw new TypeError(`--port ${values.port}: use a port, from 0 (any free one) to 65535.`)
  }
  return { ...values, port: Number(values.port) }
}
