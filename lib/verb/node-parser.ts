import type { IncomingMessage } from 'node:http'
import { property } from '../util/property.js'

/**
 * The parser of one connection, as `socket.parser` holds it: undocumented, and the same in Node 20 to 26. The self-test
 * checks everything here that another version might do differently, before any connection depends on it.
 */
export interface NodeParser {
  /** Receives each request when its head is complete. Null on a parser that Node has put back into its pool. */
  onIncoming: ((request: IncomingMessage, keepAlive: boolean) => unknown) | null
  /** Takes the parser off its server's list of connections. */
  remove(): void
  /** Resets the parser, even after an error, and puts it on the list. */
  initialize(...args: unknown[]): void
  /** Returns how many of the bytes were read. Errors have `code` and `bytesParsed`. */
  execute(bytes: Buffer): ParserResult
  /** The connection has ended. */
  finish(): unknown
  /** A copy of what was read from the socket, while the callback of {@link ParserSlots.kOnExecute} runs. */
  getCurrentBuffer(): Buffer
  /** Callbacks by number, see {@link ParserSlots}. */
  [slot: number]: unknown
}

export type ParserResult = number | Error | undefined

/** The constructor of parsers names the callbacks that a parser calls. */
export interface ParserSlots {
  /** Called at the first byte of each request. Node leaves it empty on servers. */
  readonly kOnMessageBegin: number
  /** Called after each buffer that the parser has read from the socket by itself, without a 'data' event. */
  readonly kOnExecute: number
}

const PARSER_METHODS = ['remove', 'initialize', 'execute', 'finish', 'getCurrentBuffer']

export function isNodeParser(value: unknown): value is NodeParser {
  return PARSER_METHODS.every((name) => typeof property(value, name) === 'function')
}

export function slotsOf(parser: NodeParser): ParserSlots | undefined {
  const { constructor: slots } = parser
  return haveSlots(slots) ? slots : undefined
}

function haveSlots(value: unknown): value is ParserSlots {
  return ['kOnMessageBegin', 'kOnExecute'].every((name) => typeof property(value, name) === 'number')
}
