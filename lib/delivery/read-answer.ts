import { Readable } from 'node:stream'
import { types } from 'node:util'
import { describeValue } from '../validation/describe-value.js'

/** What an application in process said: whether to publish, and its reply, or the URL of a static one. */
export interface ParsedResponse {
  readonly publish: boolean
  readonly reply: Readable | URL | undefined
}

const KINDS =
  'a string, bytes (Uint8Array, ArrayBuffer, Blob), a stream or another async iterable of these, or a URL'

/**
 * Reads what `onUpload` returned. JavaScript lets it return anything, and to publish a file in spite of an answer that is
 * not understood could be the opposite of what was meant.
 *
 * @throws TypeError a sentence that says what came, and what to return instead.
 */
export function parseResponse(value: unknown): ParsedResponse {
  if (value === undefined || value === null) return { publish: true, reply: undefined }
  const reply = asReply(value)
  if (reply) return { publish: true, reply }
  if (!isAnswer(value))
    throw wrong(describeValue(value), `return nothing, a reply (${KINDS}), or { reply, publish }`)
  refuseOtherNames(value)
  return { publish: readPublish(value.publish), reply: readReply(value.reply) }
}

/** An object of a class is one when it has one of the two: all others would read like `{}`. */
const isAnswer = (value: unknown): value is { reply?: unknown; publish?: unknown } =>
  typeof value === 'object' && value !== null && ('reply' in value || 'publish' in value || isPlain(value))

/** Is it no object of a class? Whatever realm it is of, its prototype is the last, or it has none. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

function refuseOtherNames(answer: object): void {
  const other = Object.keys(answer).find((name) => name !== 'reply' && name !== 'publish')
  if (other === undefined) return
  throw wrong(`an object with ${JSON.stringify(other)}`, 'it may have reply and publish')
}

function readPublish(value: unknown): boolean {
  if (value === undefined || typeof value === 'boolean') return value ?? true
  throw wrong(`{ publish: ${describeValue(value)} }`, 'publish is true or false')
}

function readReply(value: unknown): Readable | URL | undefined {
  if (value === undefined || value === null) return undefined
  const reply = asReply(value)
  if (reply) return reply
  throw wrong(`{ reply: ${describeValue(value)} }`, `a reply is ${KINDS}`)
}

/** @returns `undefined` for what is no reply. */
function asReply(value: unknown): Readable | URL | undefined {
  if (value instanceof Readable && value.readableEnded)
    throw wrong('a stream that was read to its end', 'return it unread, or what was read from it')
  if (value instanceof URL || value instanceof Readable) return value
  // Not asked by `instanceof`: bytes often come from another realm, from a `vm` context or from under Jest.
  if (typeof value === 'string' || types.isUint8Array(value)) return Readable.from([value])
  if (types.isArrayBuffer(value)) return Readable.from([new Uint8Array(value)])
  if (value instanceof Blob) return Readable.from(value.stream())
  return isAsyncIterable(value) ? Readable.from(value) : undefined
}

/** Web streams are, too. */
const isAsyncIterable = (value: unknown): value is AsyncIterable<unknown> =>
  typeof value === 'object' &&
  value !== null &&
  typeof Reflect.get(value, Symbol.asyncIterator) === 'function'

const wrong = (what: string, expected: string): TypeError =>
  new TypeError(`onUpload returned ${what}: ${expected}.`)
