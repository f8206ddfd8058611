import fc from 'fast-check'
import { everyByte } from '../support/piecewise-socket.js'

/** The bytes that a connection sends, and where they are cut. */
export interface Stream {
  readonly bytes: Buffer
  readonly pieces: readonly Buffer[]
}

const VERB = 'BITS_POST '

// Without POST, which would turn the end of a body, `BITS_`, into a verb.
const method = fc.oneof(
  { weight: 3, arbitrary: fc.constant('BITS_POST') },
  { weight: 2, arbitrary: fc.constantFrom('GET', 'PUT', 'UNLOCK', 'REPORT', 'DELETE') },
)
const url = fc.constantFrom('/', '/BITS_POST/x', '/uploads/BITS_POST%20/a.bin', '*', 'http://example.test/')
/** Fragments of bodies that resemble the verb. */
const bait = fc
  .array(
    fc.constantFrom(VERB, `${VERB}/ HTTP/1.1\r\n\r\n`, 'BITS_', 'BI', '\r\n\r\n', '0\r\n\r\n', '\xff', 'x'),
    {
      maxLength: 5,
    },
  )
  .map((parts) => parts.join(''))

const extraHeader = fc.constantFrom(
  ...['', '', '', '', `X-Note: ${VERB}/ HTTP/1.1\r\n`],
  ...['Connection: keep-alive\r\n', 'Connection: close\r\n'],
  ...['Expect: 100-continue\r\n', 'Expect: 100-continue\r\n', 'Expect: more\r\n'],
)
const upgradeHeaders = fc.constantFrom(
  ...['Connection: Upgrade\r\nUpgrade: h2c\r\n', 'Connection: keep-alive, upgrade\r\nUpgrade: x\r\n'],
  ...['Connection: upgrade\r\n', 'Upgrade: x\r\n', 'Connection: upgraded\r\nUpgrade: x\r\n'],
  ...['Connection: Upgrade\r\nUpgrade:\r\n', 'Connection: upgrade,close\r\nupgrade: x\r\n'],
  ...['Connection: upgrade x\r\nUpgrade: x\r\n', 'Connection:\r\n upgrade\r\nUpgrade: x\r\n'],
)

const framed = fc.record({ framing: fc.constantFrom('none', 'length', 'chunked'), body: bait })

const message = fc
  .record({
    method,
    url,
    version: fc.constantFrom('1.1', '1.1', '1.1', '1.1', '1.0'),
    extra: fc.oneof({ weight: 4, arbitrary: extraHeader }, { weight: 1, arbitrary: upgradeHeaders }),
    framed,
    blank: fc.constantFrom('', '', '', '\r\n', '\r\n\r\n'),
  })
  .map(({ method, url, version, extra, framed: { framing, body }, blank }) => {
    const head = `${blank}${method} ${url} HTTP/${version}\r\nHost: a\r\n${extra}`
    if (framing === 'none') return `${head}\r\n`
    if (framing === 'length') return `${head}Content-Length: ${body.length}\r\n\r\n${body}`
    const chunk = body === '' ? '' : `${body.length.toString(16)}\r\n${body}\r\n`
    return `${head}Transfer-Encoding: chunked\r\n\r\n${chunk}0\r\n\r\n`
  })

/** Input that is not a request, or only part of one. */
const oddity = fc.constantFrom(
  ...[
    'BITS_POSTX / HTTP/1.1\r\n\r\n',
    'BITS_PUT / HTTP/1.1\r\n\r\n',
    'BITS_POST\t/ HTTP/1.1\r\n\r\n',
    'BITS_',
    'BIT',
  ],
  ...[
    'BI',
    'B',
    `UN${VERB}/ HTTP/1.1\r\n\r\n`,
    `RE${VERB}/ HTTP/1.1\r\n\r\n`,
    `L${VERB}`,
    'LITS_POST / HTTP/1.1\r\n\r\n',
  ],
  ...[
    'UN',
    'RE',
    `B${VERB}`,
    'BITBITS_POST / HTTP/1.1\r\n\r\n',
    'XUT /z HTTP/1.1\r\nX: y\r\n',
    '\r\n',
    '\x01',
  ],
  ...[
    `${VERB}/y HTTP/1.1\r\nHost: a\r\nX: `,
    `${VERB}/`,
    VERB,
    `${VERB}/ HTTP/1.1\r\n X: y\r\n\r\n`,
    'PRI * HTTP/2.0\r\n\r\n',
  ],
  ...[
    'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n',
    'GET /\r\n\r\n',
    'GET / HTTP/1.1\r\n\r\n',
    `${VERB}/ HTTP/1.1\r\n\r\n`,
  ],
  ...[
    'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
  ],
)

/** A position near the end of a head or part, in a verb, or anywhere. */
const place = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      near: fc.constant('end'),
      which: fc.nat(40),
      offset: fc.integer({ min: -1, max: 1 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      near: fc.constant('verb'),
      which: fc.nat(40),
      offset: fc.integer({ min: -1, max: 11 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ near: fc.constant('start'), which: fc.constant(0), offset: fc.nat(2000) }),
  },
)

const cuts = fc.oneof(
  { weight: 2, arbitrary: fc.constant('nowhere' as const) },
  { weight: 1, arbitrary: fc.constant('everywhere' as const) },
  { weight: 9, arbitrary: fc.array(place, { minLength: 1, maxLength: 8 }) },
)

export const stream: fc.Arbitrary<Stream> = fc
  .record({
    parts: fc.array(fc.oneof({ weight: 5, arbitrary: message }, { weight: 1, arbitrary: oddity }), {
      minLength: 1,
      maxLength: 7,
    }),
    cuts,
  })
  .map(({ parts, cuts }) => {
    const bytes = Buffer.from(parts.join(''), 'latin1')
    if (cuts === 'everywhere') return { bytes, pieces: everyByte(bytes) }
    return { bytes, pieces: cuts === 'nowhere' ? [bytes] : piecesOf(bytes, placesIn(parts, cuts)) }
  })

function placesIn(
  parts: readonly string[],
  cuts: readonly { near: string; which: number; offset: number }[],
): number[] {
  const text = parts.join('')
  let length = 0
  const ends = parts.map((part) => (length += part.length))
  const near: Record<string, number[]> = {
    start: [0],
    end: [...ends, ...[...text.matchAll(/\r\n\r\n/g)].map(({ index }) => index + 4)],
    verb: [...text.matchAll(/BITS_POST |BI/g)].map(({ index }) => index),
  }
  return cuts.map(({ near: kind, which, offset }) => {
    const known = near[kind] ?? []
    return (known[which % known.length] ?? 0) + offset
  })
}

function piecesOf(bytes: Buffer, places: readonly number[]): Buffer[] {
  const text = bytes.toString('latin1')
  // An upgrade includes what follows, up to the cut: the rest must not be another verb that Node knows.
  const isOther = /upgrade/i.test(text) ? /BITS_POST |(?:UN|RE)BITS_$/ : /$^/
  const sorted = [...new Set([0, ...places, bytes.length])]
    .filter((place) => place >= 0 && place <= bytes.length)
    .filter((place) => !isOther.test(text.slice(Math.max(place - 5, 0), place + 5)))
    .sort((a, b) => a - b)
  return sorted.slice(1).map((end, i) => bytes.subarray(sorted[i], end))
}
