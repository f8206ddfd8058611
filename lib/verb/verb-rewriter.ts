import type { IncomingMessage } from 'node:http'
import { bodyOf, NEED_MORE, type Reader, Section, UNSURE, upgradeOf } from './message-framing.js'

/**
 * Node's parser refuses verbs it does not know; it knows BIND (RFC 5842), and skips spaces before the URL. The two have
 * the same length and a common prefix, so that one can be written over the other piece by piece, as it arrives. CR, LF
 * and lengths never change, so rewriting neither adds nor removes a request.
 */
const VERB = Buffer.from('BITS_POST ')
const KNOWN = Buffer.from('BIND      ')
const COMMON = 'BI'.length

/** A head without these words has no body, and is not one at which the parser hands the socket to somebody else. */
const HAS_BODY = /content-length|transfer-encoding/i
const UPGRADES = /^CONNECT |upgrade/i

const CR = 0x0d
const LF = 0x0a

/**
 * Where the connection stands: at the start of a message or in its verb; in its head; at the end of a head, which the
 * parser must announce before it returns from this buffer; in a body; or no longer followed.
 */
type State = 'verb' | 'head' | 'complete head' | 'body' | 'given up'

/**
 * Rewrites `BITS_POST` in the bytes of one connection before Node's parser sees them.
 *
 * A byte of a body or header must never be rewritten. So the rewriter advances from message to message only while the
 * parser agrees: each request must be announced where one is expected, with the verb and URL that stand there, and be
 * complete where its body ends. When unsure it gives up: the connection is as if there were no rewriter, and Node
 * answers a later BITS_POST with 400.
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
  /** The request line, also of a head that came in several buffers. */
  #requestLine = ''
  #body: Reader = () => UNSURE
  /** What follows a complete head in its buffer. */
  #rest: Buffer | undefined
  /** Is this message an upgrade that the server ignores? Node drops what follows such a message in its buffer. */
  #isIgnoredUpgrade = false
  /** Weak, so that an idle connection does not keep its last request; the parser holds one that is incomplete. */
  #request: WeakRef<IncomingMessage> | undefined

  /** Sees a buffer before the parser does. Returns whether it wants the next one, else not before `announced`. */
  read(bytes: Buffer): boolean {
    if (this.#state === 'complete head') this.#state = 'given up'
    this.#headStart = undefined
    // The parser and the rewriter have to agree on whether a message has ended.
    const isBetweenMessages = this.#request?.deref()?.complete ?? true
    const isInBody = this.#state === 'body'
    if (isInBody ? isBetweenMessages : !isBetweenMessages) this.#state = 'given up'
    return this.#continue(bytes)
  }

  /**
   * The parser has read the head of `request`, and continues with the rest of the same buffer when this returns.
   * Returns whether the rewriter wants the next buffer.
   */
  announced(request: IncomingMessage): boolean {
    const rest = this.#rest
    const isExpected = this.#state === 'complete head' && this.#isHeadOf(request)
    const body = isExpected ? this.#bodyOf(request) : 'unsure'
    const upgrade = isExpected ? this.#upgradeOf(request) : 'unsure'
    if (this.#isVerb) request.method = 'BITS_POST'
    this.#isVerb = false
    this.#rest = undefined
    this.#text = undefined
    this.#requestLine = ''
    if (!rest || body === 'unsure' || upgrade === 'unsure') {
      this.#state = 'given up'
      return false
    }
    this.#request = new WeakRef(request)
    this.#matched = 0
    this.#state = body === 'none' ? 'verb' : 'body'
    if (body !== 'none') this.#body = body
    this.#isIgnoredUpgrade = upgrade === 'upgrade'
    if (body === 'none' && this.#isIgnoredUpgrade) return true
    return this.#continue(rest)
  }

  /** The verb and the URL must be those that stand in the head: another head must not lend its length to this body. */
  #isHeadOf({ method, url }: IncomingMessage): boolean {
    const line = this.#text ?? this.#requestLine
    if (!method || url === undefined || !line.startsWith(`${method} `)) return false
    let at = method.length
    while (line[at] === ' ') at++
    return line.startsWith(url, at) && /^[ \r\n]/.test(line.slice(at + url.length, at + url.length + 1))
  }

  #bodyOf(request: IncomingMessage): Reader | 'none' | 'unsure' {
    // Without the request line and the empty one.
    const headerLines = this.#head.lines - 2
    if (request.rawHeaders.length !== 2 * headerLines) return 'unsure'
    return this.#text !== undefined && !HAS_BODY.test(this.#text) ? 'none' : bodyOf(request)
  }

  #upgradeOf(request: IncomingMessage): 'none' | 'upgrade' | 'unsure' {
    return this.#text !== undefined && !UPGRADES.test(this.#text) ? 'none' : upgradeOf(request)
  }

  #continue(bytes: Buffer): boolean {
    let at = 0
    while (at < bytes.length && this.#wantsMore()) {
      if (this.#state === 'verb') at = this.#readVerb(bytes, at)
      else if (this.#state === 'head') at = this.#readHead(bytes, at)
      else at = this.#readBody(bytes, at)
      if (at === UNSURE) this.#state = 'given up'
      if (at < 0) break
      if (this.#state === 'verb' && this.#isIgnoredUpgrade) break
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
    this.#isIgnoredUpgrade = false
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
      // Another token, whose first bytes have been rewritten: the parser must not take it for BIND. The first byte of
      // this buffer is the one to spoil, as what follows may continue as `BIND` would.
      bytes[start] = 0
      return UNSURE
    }
    if (at === bytes.length && !this.#isVerb) return NEED_MORE
    this.#head = new Section(false)
    this.#headStart = before === 0 ? start : undefined
    this.#requestLine = KNOWN.toString('latin1', 0, before) + bytes.toString('latin1', start, at)
    this.#state = 'head'
    return at
  }

  #readHead(bytes: Buffer, from: number): number {
    if (this.#head.lines === 0) this.#requestLine += lineAt(bytes, from)
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

/** From `from` to the end of the line, or of the buffer. */
function lineAt(bytes: Buffer, from: number): string {
  const lineFeed = bytes.indexOf(LF, from)
  return bytes.toString('latin1', from, lineFeed < 0 ? bytes.length : lineFeed + 1)
}
