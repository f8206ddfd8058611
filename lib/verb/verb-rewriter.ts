import type { IncomingMessage } from 'node:http'
import { bodyOf, DOUBT, MORE, type Reader, Section } from './message-framing.js'

/**
 * Node's parser refuses verbs it does not know; it knows BIND (RFC 5842), and skips spaces before the URL. Of equal
 * length and with a common prefix, the one can be written over the other as it comes in, piece by piece. CR, LF and
 * lengths never change, so rewriting neither adds nor removes a request.
 */
const VERB = Buffer.from('BITS_POST ')
const KNOWN = Buffer.from('BIND      ')
const COMMON = 'BI'.length

/** Without these words a head has no body, or is none at which the parser hands the socket to somebody else. */
const HAS_BODY = /content-length|transfer-encoding/i
const UPGRADES = /^CONNECT |upgrade/i

const CR = 0x0d
const LF = 0x0a

/**
 * Where the connection stands: at the start of a message or in its verb; in its head; in a head that is complete,
 * which the parser is to announce before it returns from this buffer; in a body; or given up for good.
 */
type State = 'verb' | 'head' | 'complete head' | 'body' | 'given up'

/**
 * Rewrites `BITS_POST` in the bytes of one connection before Node's parser sees them.
 *
 * A byte of a body or header must never be rewritten. So the rewriter goes from message to message only as far as the
 * parser agrees: each request must be announced where one is expected, and be complete where its body ends. At any
 * doubt it gives up: the connection is as if there were no rewriter, and Node answers a later BITS_POST with 400.
 */
export class VerbRewriter {
  #state: State = 'verb'
  /** Bytes of {@link VERB} that have been found. */
  #matched = 0
  #isVerb = false
  #head = new Section(false)
  /** Where in its buffer the head begins; `undefined` when that was in an earlier one. */
  #headStart: number | undefined
  /** The complete head, when it came in one buffer. */
  #text: string | undefined
  #body: Reader = () => DOUBT
  /** What follows a complete head in its buffer. */
  #rest: Buffer | undefined
  /** Weak, so that an idle connection does not keep its last request; the parser holds one that is incomplete. */
  #request: WeakRef<IncomingMessage> | undefined

  /** Sees a buffer before the parser does. Returns whether it wants the next one, else not before `announced`. */
  read(bytes: Buffer): boolean {
    if (this.#state === 'complete head') this.#state = 'given up'
    this.#headStart = undefined
    // The parser's opinion on whether a message has ended has to be the rewriter's.
    const isBetweenMessages = this.#request?.deref()?.complete ?? true
    const isInBody = this.#state === 'body'
    if (isInBody ? isBetweenMessages : !isBetweenMessages) this.#state = 'given up'
    return this.#readOn(bytes)
  }

  /**
   * The parser has read the head of `request`, and goes on with the rest of the same buffer when this returns.
   * Returns whether the rewriter wants the next buffer.
   */
  announced(request: IncomingMessage): boolean {
    if (this.#isVerb) request.method = 'BITS_POST'
    this.#isVerb = false
    const rest = this.#rest
    this.#rest = undefined
    const body = rest && this.#state === 'complete head' ? this.#bodyOf(request) : 'doubt'
    this.#text = undefined
    if (!rest || body === 'doubt') {
      this.#state = 'given up'
      return false
    }
    this.#request = new WeakRef(request)
    this.#matched = 0
    this.#state = body === 'none' ? 'verb' : 'body'
    if (body !== 'none') this.#body = body
    return this.#readOn(rest)
  }

  #bodyOf(request: IncomingMessage): Reader | 'none' | 'doubt' {
    // Without the request line and the empty one.
    const headerLines = this.#head.lines - 2
    const isPlain = this.#text !== undefined && !HAS_BODY.test(this.#text)
    return isPlain && request.rawHeaders.length === 2 * headerLines ? 'none' : bodyOf(request, headerLines)
  }

  #readOn(bytes: Buffer): boolean {
    let at = 0
    while (at < bytes.length && this.#wantsMore()) {
      if (this.#state === 'verb') at = this.#readVerb(bytes, at)
      else if (this.#state === 'head') at = this.#readHead(bytes, at)
      else at = this.#readBody(bytes, at)
      if (at === DOUBT) this.#state = 'given up'
      if (at < 0) break
    }
    return this.#wantsMore() || this.#willBeAnnounced()
  }

  #wantsMore(): boolean {
    return this.#state !== 'complete head' && this.#state !== 'given up'
  }

  /** An upgrade finds the socket untouched: the rewriter wants nothing of it until the parser says that it is none. */
  #willBeAnnounced(): boolean {
    return this.#state === 'complete head' && this.#text !== undefined && !UPGRADES.test(this.#text)
  }

  #readVerb(bytes: Buffer, from: number): number {
    let start = from
    if (this.#matched === 0) while (bytes[start] === CR || bytes[start] === LF) start++
    const before = this.#matched
    let at = start
    while (at < bytes.length && this.#matched < VERB.length && bytes[at] === VERB[this.#matched]) {
      at++
      this.#matched++
    }
    this.#isVerb = this.#matched === VERB.length
    if (this.#isVerb || at === bytes.length) {
      bytes.set(KNOWN.subarray(before, this.#matched), start)
    } else if (before > COMMON) {
      // Another token, whose first bytes have been rewritten: the parser must not make BIND of them. The very first
      // byte, for what follows may go on as `BIND` would.
      bytes[start] = 0
      return DOUBT
    }
    if (at === bytes.length && !this.#isVerb) return MORE
    this.#head = new Section(false)
    this.#headStart = before === 0 ? start : undefined
    this.#state = 'head'
    return at
  }

  #readHead(bytes: Buffer, from: number): number {
    const end = this.#head.read(bytes, from)
    if (end < 0) return end
    const start = this.#headStart
    this.#text = start === undefined ? undefined : bytes.toString('latin1', start, end)
    this.#rest = bytes.subarray(end)
    this.#state = 'complete head'
    return end
  }

  #readBody(bytes: Buffer, from: number): number {
    const end = this.#body(bytes, from)
    if (end >= 0) this.#state = 'verb'
    return end
  }
}
