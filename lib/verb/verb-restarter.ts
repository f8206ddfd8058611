import type { IncomingMessage } from 'node:http'
import { property } from '../util/property.js'
import { COMMON_LENGTH, KNOWN_BYTES, VERB } from './known-verb.js'
import type { ParserResult } from './node-parser.js'

/** Verbs that the parser knows and that end like the start of ours: REBIND and UNBIND. */
const OTHER_STARTS = ['RE', 'UN']
const OTHER_START = 2

/** The parser's own methods, which those of {@link attachRestarter} hide. */
export interface NativeParser {
  execute(bytes: Buffer): ParserResult
  finish(): unknown
  getCurrentBuffer(): Buffer
  /** Initializes the parser as for a new connection. */
  restart(): void
}

/**
 * Reads BITS_POST on one connection, by letting Node's parser refuse it.
 *
 * The parser stops at the `T` and reports the position; it has read everything before. If there is a BITS_POST, the
 * parser is reset, reads BIND instead, and continues after the verb. Nothing that a client sends is changed, and only
 * the parser decides where heads and bodies end.
 */
export class VerbRestarter {
  readonly #native: NativeParser
  /** Whether a request has begun whose head is not complete. Only then can the parser refuse a verb. */
  #isInHead = false
  /** The last bytes of such a head from earlier packets. */
  #headSoFar = ''
  /** The start of a BITS_POST at the end of the last packet, which the parser has refused. */
  #held = ''
  #refusal: ParserResult
  /** Whether the head in progress belongs to a BITS_POST. */
  #isVerb = false
  /** What {@link getCurrentBuffer} returns when the parser no longer has it. */
  #packet: Buffer | undefined

  constructor(native: NativeParser) {
    this.#native = native
  }

  onMessageBegin(): void {
    this.#isInHead = true
    this.#headSoFar = ''
  }

  /** The parser has read a head. */
  onIncoming(request: IncomingMessage): void {
    this.#isInHead = false
    if (!this.#isVerb) return
    this.#isVerb = false
    request.method = 'BITS_POST'
  }

  /** Replaces the parser's method, on connections that Node reads through 'data' events. */
  execute(packet: Buffer): ParserResult {
    const result = this.#native.execute(packet)
    return this.#isInHead ? this.#readHead(packet, result) : result
  }

  /** Runs before Node's callback, on connections whose packets the parser reads by itself. */
  onExecute(result: ParserResult, callback: (result: ParserResult) => void): void {
    if (!this.#isInHead) {
      callback(result)
      return
    }
    const packet = this.#native.getCurrentBuffer()
    const final = this.#readHead(packet, result)
    // Node asks for the packet when there is an error or an upgrade.
    this.#packet = packet
    try {
      callback(final)
    } finally {
      this.#packet = undefined
    }
  }

  getCurrentBuffer(): Buffer {
    return this.#packet ?? this.#native.getCurrentBuffer()
  }

  /** For a connection that ends in a refused verb: the parser itself reports nothing after a refusal. */
  finish(): unknown {
    return this.#held === '' ? this.#native.finish() : this.#refuse()
  }

  /**
   * @param result of the parser for the whole packet, which ends in a head or was refused in one.
   * @returns what it would be if the parser knew the verb.
   */
  #readHead(packet: Buffer, result: ParserResult): ParserResult {
    let verbEnd = this.#held === '' ? this.#findVerb(packet, 0, result) : this.#resumeVerb(packet)
    let current = result
    let from = 0
    while (typeof verbEnd === 'number') {
      from = verbEnd
      this.#isVerb = true
      this.#native.restart()
      this.#native.execute(KNOWN_BYTES)
      current = from < packet.length ? this.#native.execute(packet.subarray(from)) : 0
      verbEnd = this.#isInHead ? this.#findVerb(packet, from, current) : 'none'
    }
    if (verbEnd === 'cut') return packet.length
    if (verbEnd === 'refused') return this.#refuse()
    if (isFailure(packet, from, current)) this.#isInHead = false
    return behind(from, current)
  }

  /**
   * Returns where a verb ends that the parser refused, or that the packet ends in it, or that there is none.
   *
   * @param from where the part begins that the parser has read last.
   */
  #findVerb(packet: Buffer, from: number, result: ParserResult): number | 'cut' | 'none' {
    if (!isFailure(packet, from, result)) {
      this.#headSoFar = (
        this.#headSoFar + packet.toString('latin1', Math.max(from, packet.length - KEPT))
      ).slice(-KEPT)
      return 'none'
    }
    if (typeof result !== 'number' && codeOf(result) !== 'HPE_INVALID_METHOD') return 'none'
    const start = from + readOf(result) - COMMON_LENGTH
    if (!Number.isSafeInteger(start)) return 'none'
    const earlier = from === 0 ? this.#headSoFar : ''
    const firstSeen = Math.max(start - OTHER_START, from)
    const seen = earlier + packet.toString('latin1', firstSeen, start + VERB.length)
    const at = start - firstSeen + earlier.length
    if (at < 0 || OTHER_STARTS.includes(seen.slice(Math.max(at - OTHER_START, 0), at))) return 'none'
    const found = seen.slice(at, at + VERB.length)
    if (found === VERB) return start + VERB.length
    // The refused letter must be present. A head that is too long also fails at the end of a packet.
    const isCut = found.length > COMMON_LENGTH && start + found.length === packet.length
    if (!VERB.startsWith(found) || !isCut) return 'none'
    this.#held = found
    this.#refusal = result
    return 'cut'
  }

  /** Continues a verb that was split. The parser has also refused this packet, as it does after any error. */
  #resumeVerb(packet: Buffer): number | 'cut' | 'refused' {
    const missing = VERB.length - this.#held.length
    const found = this.#held + packet.toString('latin1', 0, missing)
    if (!VERB.startsWith(found)) return 'refused'
    this.#held = found === VERB ? '' : found
    return found === VERB ? missing : 'cut'
  }

  #refuse(): ParserResult {
    const refusal = this.#refusal
    this.#isInHead = false
    this.#held = ''
    this.#refusal = undefined
    // Nothing of this packet was read: the refusal came with an earlier one.
    if (typeof refusal === 'object') Object.assign(refusal, { bytesParsed: 0 })
    return refusal
  }
}

/** Enough to distinguish a split verb from those that end like it. */
const KEPT = OTHER_START + COMMON_LENGTH

/** After an upgrade that the server ignores, the parser reports a failure only by reading less than there is. */
function isFailure(packet: Buffer, from: number, result: ParserResult): boolean {
  return typeof result === 'number' ? from + result < packet.length : result !== undefined
}

const codeOf = (result: ParserResult): unknown => property(result, 'code')

/** How many bytes the parser has read. */
function readOf(result: ParserResult): number {
  return typeof result === 'number' ? result : Number(property(result, 'bytesParsed'))
}

/** The result for a whole packet, from that of its part that begins at `from`. */
function behind(from: number, result: ParserResult): ParserResult {
  if (typeof result === 'number') return from + result
  if (result !== undefined && from > 0) Object.assign(result, { bytesParsed: from + readOf(result) })
  return result
}
