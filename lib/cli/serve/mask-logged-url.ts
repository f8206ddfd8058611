import { REPLY_FOLDER } from '../../protocol/reply-url.js'
import { RESERVED_NAME } from '../../protocol/reserved-folder.js'

const RESERVED_IN_LOWER_CASE = RESERVED_NAME.toLowerCase()
const REPLIES_IN_LOWER_CASE = REPLY_FOLDER.toLowerCase()

/** A character of a URL path, however often a proxy has escaped it, and its position. */
interface Character {
  /** Lower case. */
  readonly value: string
  readonly start: number
  readonly end: number
}

/**
 * Masks what would let readers of the log in: user and password, query values, and the session id in a reply URL
 * (`lib/protocol/reply-url.ts`). Takes linear time, as URLs are untrusted.
 */
export function maskLoggedUrl(url: string): string {
  const [location = '', ...query] = url.split('?')
  const shown = maskReplyIds(location.replace(/^(https?:\/\/)[^/]*@/i, '$1'))
  const parameters = query
    .join('?')
    .split('&')
    .map((one) => (one.includes('=') ? one.replace(/=.*/s, '=***') : '***'))
  return query.length === 0 ? shown : `${shown}?${parameters.join('&')}`
}

/** Replaces each segment that follows `BITS-Sessions` and `Replies`. */
function maskReplyIds(path: string): string {
  let masked = ''
  let shownUpTo = 0
  let [before, previous] = ['', '']
  for (const { text, start, end } of segmentsOf(path)) {
    if (before.endsWith(RESERVED_IN_LOWER_CASE) && previous === REPLIES_IN_LOWER_CASE) {
      masked += `${path.slice(shownUpTo, start)}***`
      shownUpTo = end
    }
    ;[before, previous] = [previous, text]
  }
  return masked + path.slice(shownUpTo)
}

/** The segments of a path that are not empty, decoded and in lower case. */
function* segmentsOf(path: string): Generator<{ text: string; start: number; end: number }> {
  let text = ''
  let start = 0
  let end = 0
  for (const character of charactersOf(path)) {
    if (character.value === '/' || character.value === '\\') {
      if (text !== '') yield { text, start, end }
      text = ''
      continue
    }
    if (text === '') start = character.start
    text += character.value
    end = character.end
  }
  if (text !== '') yield { text, start, end }
}

/**
 * Decodes `a`, `%61`, `%2561`, `%252561` and so on to the same character. Anything that is not an escape stands for
 * itself.
 */
function* charactersOf(path: string): Generator<Character> {
  for (let start = 0; start < path.length; ) {
    const end = path[start] === '%' ? endOfEscape(path, start) : start + 1
    const isEscape = end > start + 1
    const value = isEscape ? String.fromCharCode(byteAt(path, end - 2)) : path.charAt(start)
    yield { value: value.toLowerCase(), start, end }
    start = end
  }
}

/** Where the escape that begins with the `%` at `start` ends; `start + 1` when it is not one. */
function endOfEscape(path: string, start: number): number {
  let digits = start + 1
  while (path.startsWith('25', digits) && !Number.isNaN(byteAt(path, digits + 2))) digits += 2
  return Number.isNaN(byteAt(path, digits)) ? start + 1 : digits + 2
}

/** The value of two hexadecimal digits; NaN for anything else. */
function byteAt(path: string, start: number): number {
  const digits = path.slice(start, start + 2)
  return /^[0-9a-f]{2}$/i.test(digits) ? Number.parseInt(digits, 16) : Number.NaN
}
