import { Readable } from 'node:stream'
import { types } from 'node:util'
import { describeValue } from '../validation/describe-value.js'

/** What `onUpload` returned: whether to publish, and the reply or its static URL. */
export interface ParsedResponse {
  readonly publish: boolean
  readonly reply: Readable | URL | undefined
}

const KINDS =
  'a string, bytes (Uint8Array, ArrayBuffer, Blob), a stream or another async iterable of these, or a URL'

/**
 * Reads what `onUpload` returned. In JavaScript that can be anything, and publishing a file after an
 * invalid value could be the opposite of what was meant.
 *
 * @throws TypeError with what was returned, and what to return instead.
 */
export function parseResponse(value: unknown): ParsedResponse {
  if (value === undefined || value === null) return { publish: true, reply: undefined }
  const reply = asReply(value)
  if (reply) return { publish: true, reply }
  if (!isResponse(value))
    throw wrongResponse(describeValue(value), `return nothing, a reply (${KINDS}), or { reply, publish }`)
  refuseOtherNames(value)
  return { publish: readPublish(value.publish), reply: readReply(value.reply) }
}

/** An instance of a class must have `reply` or `publish`: without either, it would be accepted like `{}`. */
const isResponse = (value: unknown): value is { reply?: unknown; publish?: unknown } =>
  typeof value === 'object' && value !== null && ('reply' in value || 'publish' in value || isPlain(value))

/** Not an instance of a class. Also for objects of another realm, whose prototype is another `Object.prototype`. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

function refuseOtherNames(response: object): void {
  const other = Object.keys(response).find((name) => name !== 'reply' && name !== 'publish')
  if (other === undefined) return
  throw wrongResponse(
    `an object with ${JSON.stringify(other)}`,
    'return an object with reply, publish or both',
  )
}

function readPublish(value: unknown): boolean {
  if (value === undefined || typeof value === 'boolean') return value ?? true
  throw wrongResponse(`{ publish: ${describeValue(value)} }`, 'publish is true or false')
}

function readReply(value: unknown): Readable | URL | undefined {
  if (value === undefined || value === null) return undefined
  const reply = asReply(value)
  if (reply) return reply
  throw wrongResponse(`{ reply: ${describeValue(value)} }`, `a reply is ${KINDS}`)
}

/** @returns `undefined` if the value cannot be a reply. */
function asReply(value: unknown): Readable | URL | undefined {
  if (value instanceof Readable && value.readableEnded)
    throw wrongResponse('a stream that was read to its end', 'return the unread stream, or the content')
  if (value instanceof URL || value instanceof Readable) return value
  // Not `instanceof`: bytes often come from another realm, such as a `vm` context or Jest.
  if (typeof value === 'string' || types.isUint8Array(value)) return Readable.from([value])
  if (types.isArrayBuffer(value)) return Readable.from([new Uint8Array(value)])
  if (value instanceof Blob) return Readable.from(value.stream())
  return isAsyncIterable(value) ? Readable.from(value) : undefined
}

/** Web streams are async iterables, too. */
const isAsyncIterable = (value: unknown): value is AsyncIterable<unknown> =>
  typeof value === 'object' &&
  value !== null &&
  typeof Reflect.get(value, Symbol.asyncIterator) === 'function'

const wrongResponse = (what: string, expected: string): TypeError =>
  new TypeError(`onUpload returned ${what}: ${expected}.`)
