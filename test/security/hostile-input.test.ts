import { expect, test } from '@jest/globals'
import { safeName } from '../../demo/safe-name.js'
import { isHidden } from '../../lib/cli/serve/hidden-paths.js'
import { maskLoggedUrl } from '../../lib/cli/serve/mask-logged-url.js'
import { escapeControls } from '../../lib/logging/escape-controls.js'
import { maskName, maskRequestUrl } from '../../lib/logging/mask.js'
import { maskHeader } from '../../lib/logging/mask-header.js'
import { parseContentRange } from '../../lib/protocol/content-range.js'
import { parseDestination } from '../../lib/protocol/destination.js'
import { parseProtocols } from '../../lib/protocol/guids.js'
import { reservedPathOf } from '../../lib/protocol/reply-url.js'
import { isReservedName } from '../../lib/protocol/reserved-folder.js'
import { sessionKey } from '../../lib/protocol/session-id.js'
import { selectRanges } from '../../lib/replies/byte-ranges.js'
import { leastTime } from '../support/least-time.js'

/** Size in bytes of the longest head that Node reads by default. */
const LENGTH = 16 * 1024
/** Milliseconds. Quadratic time would be over a hundred. */
const LIMIT = 15

/** All functions that read untrusted bytes, each as a whole: expressions, loops and normalization together. */
const READERS: Readonly<Record<string, (input: string) => unknown>> = {
  reservedPathOf,
  parseDestination,
  isReservedName,
  parseContentRange,
  parseProtocols,
  sessionKey,
  selectRanges: (input) => selectRanges(input, 10_000),
  'selectRanges after bytes': (input) => selectRanges(`bytes${input}`, 10_000),
  'selectRanges after =': (input) => selectRanges(`bytes=${input}`, 10_000),
  maskLoggedUrl,
  maskRequestUrl,
  maskName,
  'maskHeader of Accept-Encoding': (input) => maskHeader('Accept-Encoding', input),
  'maskHeader of User-Agent': (input) => maskHeader('User-Agent', input),
  'maskHeader of Authorization': (input) => maskHeader('Authorization', input),
  escapeControls,
  isHidden,
  safeName,
}

const ACUTE = '\u0301'
const GRAVE_BELOW = '\u0316'
/** Combining marks in the wrong order, which normalization sorts one by one. */
const MARKS = ACUTE.repeat(LENGTH / 4) + GRAVE_BELOW.repeat(LENGTH / 4)

const INPUTS: Readonly<Record<string, string>> = {
  dots: `/${'.'.repeat(LENGTH)}x`,
  'dots and spaces': `/${'. '.repeat(LENGTH / 2)}x`,
  spaces: `${' '.repeat(LENGTH)}x`,
  slashes: '/'.repeat(LENGTH),
  segments: '/a'.repeat(LENGTH / 2),
  backslashes: '\\'.repeat(LENGTH),
  'escaped slashes': `/BITS-Sessions${'%2f'.repeat(LENGTH / 3)}`,
  'slashes escaped twice': `/BITS-Sessions${'%252f'.repeat(LENGTH / 5)}`,
  'one slash escaped often': `/BITS-Sessions%${'25'.repeat(LENGTH / 2)}2f`,
  'reserved folders': '/BITS-Sessions'.repeat(LENGTH / 14),
  'reply folders': '/BITS-Sessions/Replies'.repeat(LENGTH / 22),
  'percent signs': '%'.repeat(LENGTH),
  commas: ','.repeat(LENGTH),
  ranges: '0-0,'.repeat(LENGTH / 4),
  digits: '9'.repeat(LENGTH),
  'combining marks': MARKS,
  'escaped combining marks': `/${encodeURIComponent(MARKS).slice(0, LENGTH)}`,
  'combining marks as bytes of the wire': `/${Buffer.from(MARKS, 'utf8').toString('latin1')}`,
  'invisible characters': '\u200b'.repeat(LENGTH),
  'control characters': '\u0085\u202e'.repeat(LENGTH / 2),
}

const cases = Object.keys(READERS).flatMap((reader) => Object.keys(INPUTS).map((input) => [reader, input]))

test.each(cases)('%s takes linear time on 16 KB of %s', (reader = '', input = '') => {
  const read = READERS[reader]
  const text = INPUTS[input]
  if (!read || text === undefined) throw new Error('There is no such case.')
  expect(leastTime(() => read(text), LIMIT)).toBeLessThan(LIMIT)
})
