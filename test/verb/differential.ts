import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import { attachRestarter } from '../../lib/verb/attach-restarter.js'
import { attachRewriter } from '../../lib/verb/attach-rewriter.js'
import { patchServer } from '../../lib/verb/patch-server.js'
import type { Stream } from './streams.js'
import type { Transport } from './transports.js'

/** Both ways to receive BITS_POST. */
export const WAYS = {
  'restarting the parser': (server: HttpServer | HttpsServer) =>
    patchServer(server, (each, socket) => {
      if (!attachRestarter(each, socket)) throw new Error('The parser cannot be restarted.')
    }),
  'rewriting the verb': (server: HttpServer | HttpsServer) => patchServer(server, attachRewriter),
}

export type Way = keyof typeof WAYS

const LISTENERS = ['upgrade', 'connect', 'checkContinue', 'clientError'] as const
export type Listener = (typeof LISTENERS)[number]

/** Every combination of listeners that change how Node behaves. */
export const LISTENER_SETS: readonly Listener[][] = Array.from({ length: 2 ** LISTENERS.length }, (_, bits) =>
  LISTENERS.filter((_, i) => bits & (1 << i)),
)

/** What the app receives from a connection. */
interface Seen {
  event: string
  method: string
  url: string
  headers: string
  body: string
}

/** A server that records what its app receives. */
export class Recorder {
  readonly transport: Transport
  readonly #server: HttpServer | HttpsServer
  #seen: Seen[] = []

  constructor(
    transport: Transport,
    events: readonly Listener[],
    patch?: (server: HttpServer | HttpsServer) => void,
  ) {
    this.transport = transport
    this.#server = transport.createServer()
    this.#server.on('request', (req, res) => this.#record('request', req, res))
    if (events.includes('checkContinue')) {
      this.#server.on('checkContinue', (req, res) => {
        res.writeContinue()
        this.#record('checkContinue', req, res)
      })
    }
    for (const event of ['upgrade', 'connect'] as const) {
      if (events.includes(event))
        this.#server.on(event, (req, socket, head) => this.#takeOver(event, req, socket, head))
    }
    if (events.includes('clientError')) {
      this.#server.on('clientError', (error, socket) => {
        const seen = { event: 'clientError', method: '', url: '', headers: codeOf(error), body: '' }
        // The parser repeats its error for each further packet.
        if (!this.#seen.some(({ event }) => event === 'clientError')) this.#seen.push(seen)
        socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
      })
    }
    patch?.(this.#server)
  }

  /** Returns what the app received of these pieces, and the response. */
  async send(pieces: readonly Buffer[]): Promise<{ seen: readonly Seen[]; answer: string }> {
    this.#seen = []
    const answer = await this.transport.send(this.#server, pieces)
    return { seen: this.#seen, answer }
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  #note(event: string, req: IncomingMessage): Seen {
    const { method = '', url = '', rawHeaders } = req
    const seen = { event, method, url, headers: rawHeaders.join('\n'), body: '' }
    this.#seen.push(seen)
    return seen
  }

  #record(event: string, req: IncomingMessage, res: ServerResponse): void {
    const seen = this.#note(event, req)
    req.on('data', (chunk: Buffer) => {
      seen.body += chunk.toString('latin1')
    })
    req.on('error', () => {})
    req.on('end', () => res.end(`${seen.body.length}\n`))
  }

  #takeOver(event: string, req: IncomingMessage, socket: Duplex, head: Buffer): void {
    const seen = this.#note(event, req)
    seen.body = head.toString('latin1')
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      seen.body += chunk.toString('latin1')
    })
    socket.on('end', () => socket.end())
    socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n')
  }
}

const codeOf = (error: Error) => ('code' in error ? String(error.code) : '')

/**
 * Throws when the app of `ours` receives anything other than the app of `native`. That is an unmodified server, which
 * receives the known verb BIND wherever ours receives BITS_POST.
 */
export async function compare(ours: Recorder, native: Recorder, { bytes, pieces }: Stream): Promise<void> {
  const text = bytes.toString('latin1')
  const known = Buffer.from(text.replaceAll(/(?<!UN|RE)BITS_POST /g, 'BIND      '), 'latin1')
  const knownPieces: Buffer[] = []
  let isLate = false
  let at = 0
  for (const { length } of pieces) {
    knownPieces.push(known.subarray(at, at + length))
    at += length
    isLate ||= REFUSED.test(text.slice(Math.max(at - 10, 0), at))
  }
  const [actual, expected] = await Promise.all([ours.send(pieces), native.send(knownPieces)])
  // After an upgrade that no listener handles, Node does not report errors until it has read another head or is
  // restarted.
  const haveErrorsToMatch = !isLate && !/upgrade/i.test(text)
  const seen = haveErrorsToMatch ? actual.seen : actual.seen.filter(isRequest)
  const wanted = haveErrorsToMatch ? expected.seen : expected.seen.filter(isRequest)
  if (seen.length !== wanted.length || !seen.every((each, i) => isSame(each, wanted[i], isLate))) {
    throw new Error(differenceOf(actual.seen, expected.seen))
  }
  if (haveErrorsToMatch && ours.transport.isExact && statuses(actual.answer) !== statuses(expected.answer)) {
    throw new Error(differenceOf(actual.answer, expected.answer))
  }
}

/**
 * When a broken verb is cut after its third letter, it is refused only when its next piece arrives, or not at all if
 * the connection has been closed by then. The app therefore has more time for earlier requests.
 */
const REFUSED = /BIT(S(_(P(O(ST?)?)?)?)?)?$/

const isRequest = ({ event }: Seen) => event !== 'clientError'

const differenceOf = (actual: unknown, expected: unknown) =>
  [actual, 'instead of', expected].map((each) => JSON.stringify(each, null, 1)).join('\n')

const statuses = (answer: string) =>
  [...answer.matchAll(/^HTTP\/1.1 (\d+)/gm)].map(([, status]) => status).join()

function isSame(ours: Seen, native: Seen | undefined, isLate: boolean): boolean {
  if (!native) return false
  // No stream contains BIND, so each one is a byte that was wrongly rewritten.
  if (/BIN|\0/.test([ours.url, ours.headers, ours.body].join())) return false
  // The rewriter cannot restore the verb of an upgrade.
  const isVerb = ours.method === 'BITS_POST' || (ours.event === 'upgrade' && ours.method === 'BIND')
  return (
    ours.event === native.event &&
    (isVerb ? native.method === 'BIND' : ours.method === native.method && ours.method !== 'BIND') &&
    ours.url === native.url &&
    isSameText(withoutLastVerb(ours.headers), withoutLastVerb(native.headers)) &&
    (isSameText(ours.body, native.body) || (isLate && native.body === ''))
  )
}

/** Removes a verb at the end of a header, where Node trims spaces. */
const withoutLastVerb = (headers: string) => headers.replaceAll(/(?:BITS_POST|BIND) *$/gm, '')

const PAIRS = new Set(['TN', 'SD', '_ ', 'P ', 'O ', 'S ', 'T '])

/** Equal except that BIND and spaces replace BITS_POST, in whole or in part. */
function isSameText(ours: string, native: string): boolean {
  if (ours.length !== native.length) return false
  for (let i = 0; i < ours.length; i++) {
    if (ours[i] !== native[i] && !PAIRS.has(`${ours[i]}${native[i]}`)) return false
  }
  return true
}
