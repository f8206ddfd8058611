import type { IncomingMessage } from 'node:http'
import { COMMON_LENGTH, KNOWN_BYTES, KNOWN_VERB, VERB } from './known-verb.js'
import { bodyOf, CR, LF, NEED_MORE, type Reader, Section, UNSURE, upgradeOf } from './message-framing.js'

const VERB_BYTES = Buffer.from(VERB)

/** A head without these words has no body, and the parser does not hand off the socket at its end. */
const HAS_BODY = /content-length|transfer-encoding/i
const UPGRADES = /^CONNECT |upgrade/i

/**
 * Where the connection stands: at the start of a message or in its verb; in its head; at the end of a head, which the
 * parser must announce before it returns from this buffer; in a body; or no longer followed.
 */
type State = 'verb' | 'head' | 'complete head' | 'body' | 'given up'

/**
 * Rewrites `BITS_POST` in the bytes of one connection before Node's parser sees them. CR, LF and lengths never change,
 * so rewriting neither adds nor removes a request.
 *
 * A byte of a body or header must never be rewritten. So the rewriter advances from message to message only while the
 * parser agrees: each request must be announced where one is expected, with the verb and URL that stand there, and be
 * complete where its body ends. When unsure, it gives up: the connection then behaves as without a rewriter, and Node
 * answers a later BITS_POST with 400.
 */
export class VerbRewriter {
  #state: State = 'verb'
  /** How many bytes of the verb have been found. */
  #matched = 0
  #isVerb = false
  #head = new Section(false)
  /** The head so far, as the parser reads it. */
  #text = ''
  #body: Reader = () => UNSURE
  /** What follows a complete head in its buffer. */
  #rest: Buffer | undefined
  /**
   * Whether this message is an upgrade that the server ignores. Node drops what follows such a message in its buffer.
   */
  #isIgnoredUpgrade = false
  /** Weak, so that an idle connection does not keep its last request; the parser holds one that is incomplete. */
  #request: WeakRef<IncomingMessage> | undefined

  /** Reads a buffer before the parser does. Returns whether it wants the next one; otherwise not before `announced`. */
  read(bytes: Buffer): boolean {
    if (this.#state === 'complete head') this.#state = 'given up'
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
    this.#text = ''
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

  /** The verb and the URL must be those in the head: the length in another head must not be used for this body. */
  #isHeadOf({ method, url }: IncomingMessage): boolean {
    const text = this.#text
    if (!method || url === undefined || !text.startsWith(`${method} `)) return false
    let at = method.length
    while (text[at] === ' ') at++
    return text.startsWith(url, at) && /[ \r\n]/.test(text.charAt(at + url.length))
  }

  #bodyOf(request: IncomingMessage): Reader | 'none' | 'unsure' {
    // Without the request line and the empty one.
    const headerLines = this.#head.lines - 2
    if (request.rawHeaders.length !== 2 * headerLines) return 'unsure'
    return HAS_BODY.test(this.#text) ? bodyOf(request) : 'none'
  }

  #upgradeOf(request: IncomingMessage): 'none' | 'upgrade' | 'unsure' {
    return UPGRADES.test(this.#text) ? upgradeOf(request, this.#text) : 'none'
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

  /**
   * An upgrade must get an unchanged socket, so the rewriter stays off it until the parser says that it is not an
   * upgrade.
   */
  #willBeAnnounced(): boolean {
    return this.#state === 'complete head' && !UPGRADES.test(this.#text)
  }

  #readVerb(bytes: Buffer, from: number): number {
    this.#isIgnoredUpgrade = false
    let start = from
    if (this.#matched === 0) while (bytes[start] === CR || bytes[start] === LF) start++
    const before = this.#matched
    let at = start
    while (at < bytes.length && this.#matched < VERB.length && bytes[at] === VERB_BYTES[this.#matched]) {
      at++
      this.#matched++
    }
    this.#isVerb = this.#matched === VERB.length
    if (this.#isVerb || at === bytes.length) {
      bytes.set(KNOWN_BYTES.subarray(before, this.#matched), start)
    } else if (before > COMMON_LENGTH) {
      // Another token, whose first bytes have been rewritten: the parser must not take it for BIND. The first byte of
      // this buffer is the one to spoil, as what follows may continue as `BIND` would.
      bytes[start] = 0
      return UNSURE
    }
    if (at === bytes.length && !this.#isVerb) return NEED_MORE
    this.#head = new Section(false)
    this.#text = KNOWN_VERB.slice(0, before) + bytes.toString('latin1', start, at)
    this.#state = 'head'
    return at
  }

  #readHead(bytes: Buffer, from: number): number {
    const end = this.#head.read(bytes, from)
    this.#text += bytes.toString('latin1', from, end < 0 ? bytes.length : end)
    if (end < 0) return end
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
