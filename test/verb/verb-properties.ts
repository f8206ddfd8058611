import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { cut, everyByte, exchange, recordingServer, type Server } from '../support/piecewise-socket.js'
import { WAYS } from './differential.js'

const SEED = process.env.FC_SEED ? { seed: Number(process.env.FC_SEED) } : {}
const RUNS = Number(process.env.FC_RUNS ?? 1)

/** Fragments of bodies and header values that resemble what the hook looks for. */
const BAIT = [
  'BITS_POST ',
  'BITS_POST / HTTP/1.1\r\n\r\n',
  'BITS_',
  'BI',
  '\r\n\r\n',
  '\n\n',
  '0\r\n\r\n',
  'x',
]

interface Message {
  method: string
  url: string
  note: string
  body: Buffer
  wire: Buffer
}

const method = fc.oneof(
  { weight: 4, arbitrary: fc.constant('BITS_POST') },
  { weight: 3, arbitrary: fc.constantFrom('GET', 'PUT', 'POST', 'BIND', 'DELETE', 'PATCH') },
)
const url = fc.constantFrom(
  '/',
  '/BITS_POST',
  '/uploads/BITS_POST%20/a.bin',
  '*',
  'http://example.test/BITS_POST',
)
const note = fc.constantFrom('BITS_POST / HTTP/1.1', 'BITS_POST', 'BIND', 'plain')
const bait = fc.oneof(
  fc.array(fc.constantFrom(...BAIT), { maxLength: 6 }).map((parts) => Buffer.from(parts.join(''))),
  fc.array(fc.integer({ min: 0x80, max: 0xff }), { maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
)

/** How a body is framed: by Content-Length, in chunks of these sizes, or not at all. */
const framing = fc.oneof(
  fc.constant('length' as const),
  fc.constant('none' as const),
  fc.record({
    sizes: fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 3 }),
    extension: fc.constantFrom('', ';BITS_POST=1', ';a="BITS_POST "'),
    trailer: fc.constantFrom('', 'X-Sum: BITS_POST /\r\n', 'BITS_POST: 1\r\nX: 2\r\n'),
  }),
)

const message: fc.Arbitrary<Message> = fc
  .record({ method, url, note, bait, framing, blank: fc.constantFrom('', '', '\r\n', '\r\n\r\n') })
  .map(({ method, url, note, bait, framing, blank }) => {
    const body = framing === 'none' ? Buffer.alloc(0) : bait
    const head = (header: string) =>
      `${blank}${method} ${url} HTTP/1.1\r\nHost: a\r\nX-Note: ${note}\r\n${header}\r\n`
    const wire =
      framing === 'none'
        ? [Buffer.from(head(''))]
        : framing === 'length'
          ? [Buffer.from(head(`content-LENGTH:  ${body.length} \r\n`)), body]
          : [Buffer.from(head('Transfer-Encoding: Chunked\r\n')), chunks(body, framing)]
    return { method, url, note, body, wire: Buffer.concat(wire) }
  })

function chunks(body: Buffer, by: { sizes: number[]; extension: string; trailer: string }): Buffer {
  const parts: Buffer[] = []
  for (let at = 0, i = 0; at < body.length; i++) {
    const part = body.subarray(at, at + (by.sizes[i % by.sizes.length] ?? 1))
    parts.push(
      Buffer.from(`0${part.length.toString(16).toUpperCase()}${by.extension}\r\n`),
      part,
      Buffer.from('\r\n'),
    )
    at += part.length
  }
  return Buffer.concat([...parts, Buffer.from(`0${by.extension}\r\n${by.trailer}\r\n`)])
}

/** Where to cut the bytes: nowhere, after every byte, or at random. */
const places = fc.oneof(
  { weight: 2, arbitrary: fc.constant('nowhere' as const) },
  { weight: 1, arbitrary: fc.constant('everywhere' as const) },
  { weight: 5, arbitrary: fc.array(fc.nat(3000), { minLength: 1, maxLength: 12 }) },
)

function pieces(bytes: Buffer, where: 'nowhere' | 'everywhere' | number[]): Buffer[] {
  if (where === 'nowhere') return [bytes]
  return where === 'everywhere' ? everyByte(bytes) : cut(bytes, where)
}

/**
 * Joins pieces where a cut would come after the third or a later letter of the verb. A token cut there is refused when
 * its next bytes come, not at once; meanwhile other responses may have been sent. Such cuts have a test of their own.
 */
function keepTogether(cuts: Buffer[]): Buffer[] {
  const joined: Buffer[] = []
  for (const piece of cuts) {
    const last = joined.at(-1)
    if (last && /BI(T|TS|TS_|TS_P|TS_PO|TS_POS|TS_POST)$/.test(last.toString('latin1'))) {
      joined.splice(-1, 1, Buffer.concat([last, piece]))
    } else {
      joined.push(piece)
    }
  }
  return joined
}

/** Broken requests and other input that a server may receive. None of them is a BITS_POST. */
const oddity = fc.constantFrom(
  ...[
    'BITS / HTTP/1.1\r\nHost: a\r\n\r\n',
    'BITS_POSTX / HTTP/1.1\r\nHost: a\r\n\r\n',
    'BITS_PUT / HTTP/1.1\r\n\r\n',
  ],
  ...[
    'BITS_POST\t/ HTTP/1.1\r\n\r\n',
    'BITS_POST\r\n',
    'BITS_',
    'BIT',
    'BI',
    'B',
    'bits_post / HTTP/1.1\r\n\r\n',
  ],
  ...[
    'BITSD / HTTP/1.1\r\nHost: a\r\n\r\n',
    'BIND / HTTP/1.1\r\nHost: a\r\n\r\n',
    'BITS_BIND / HTTP/1.1\r\n\r\n',
  ],
  ...[
    'BITS_POST://a HTTP/1.1\r\nHost: a\r\n\r\n',
    'BIX',
    '\0',
    '\r',
    '\n',
    ' BITS_POST\r\n\r\n',
    'BI\r\n\r\n',
  ],
  ...['GET / HTTP/1.1\r\n\r\n', 'GET / HTTP/1.0\r\n\r\n', 'GET /\r\n\r\n', 'GET / HTTP/1.1\nHost: a\n\n'],
  ...[
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
  ],
  ...[
    'PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nBITS',
    'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n',
  ],
  ...[
    'PUT / HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n',
    'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length : 4\r\n\r\nBITS',
  ],
  ...[
    'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nBITS',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  ],
  ...[
    'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nBITS\r\n0\r\n\r\n',
  ],
  ...['PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n4\r\nBITS\r\n0\r\n\r\n'],
  ...[
    'PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n 4\r\nBITS\r\n0\r\n\r\n',
    'GET / HTTP/1.1\r\nX: a\rb\r\n\r\n',
    'PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\na\r\nBITS_POST \r\n0\r\n\r\n',
    'PUT / HTTP/1.1\rHost: a\rContent-Length: 4\r\rBITS',
  ],
  ...[
    'PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\nBITS\n0\n\n',
    'GET / HTTP/1.1\r\nX: a\r\n b\r\nHost: a\r\n\r\n',
  ],
  ...[
    'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999\r\n\r\n',
    'GET / HTTP/1.1\r\nContent-Length:\r\n 2\r\n\r\n',
  ],
)

/** Messages, oddities and small corruptions in any order. */
const stream = fc
  .record({
    parts: fc.array(
      fc.oneof(
        message.map(({ wire }) => wire),
        oddity.map((text) => Buffer.from(text, 'latin1')),
      ),
      {
        minLength: 1,
        maxLength: 6,
      },
    ),
    damages: fc.array(
      fc.record({
        at: fc.nat(3000),
        remove: fc.nat(3),
        insert: fc.constantFrom('', ' ', '\n', '\r', ':', '1', ...BAIT),
      }),
      {
        maxLength: 2,
      },
    ),
  })
  .map(({ parts, damages }) =>
    damages.reduce((bytes, { at, remove, insert }) => {
      const place = at % (bytes.length + 1)
      return Buffer.concat([bytes.subarray(0, place), Buffer.from(insert), bytes.subarray(place + remove)])
    }, Buffer.concat(parts)),
  )
  .filter((bytes) => bytes.length > 0)

type Setting = { name: string; options: { insecureHTTPParser?: boolean }; upgrades: boolean }
const SETTINGS: Setting[] = [
  { name: 'a plain server', options: {}, upgrades: false },
  { name: 'a server with upgrade and connect listeners', options: {}, upgrades: true },
  { name: 'a server with the lenient parser', options: { insecureHTTPParser: true }, upgrades: false },
]

/** Echoes the data after an upgrade. */
function takeUpgrades(server: Server): void {
  for (const event of ['upgrade', 'connect'] as const) {
    server.on(event, (req, socket, head) => {
      socket.on('error', () => {})
      socket.write(`HTTP/1.1 101 ${event} ${req.method}\r\n\r\n`)
      socket.write(head)
      socket.pipe(socket)
    })
  }
}

type Patch = (typeof WAYS)[keyof typeof WAYS]

function serverFor({ options, upgrades }: Setting, patch?: Patch) {
  const recording = recordingServer(options)
  if (upgrades) takeUpgrades(recording.server)
  patch?.(recording.server)
  return recording
}

/**
 * Compares servers that accept BITS_POST with plain ones. The behavior of a plain one depends on the parser of this
 * version of Node.
 *
 * @param share fraction of the runs that look for rare combinations, from 0 to 1.
 */
export function describeVerbProperties(share: number): void {
  const runs = share * RUNS
  describe.each(Object.entries(WAYS))('%s', (_way, patch) => {
    describe('requests in any mixture, cut into any pieces', () => {
      it('arrive with their verb, URL, headers and bodies byte for byte', async () => {
        await fc.assert(
          fc.asyncProperty(
            fc.array(message, { minLength: 1, maxLength: 6 }),
            places,
            async (messages, where) => {
              const { server, received } = recordingServer()
              patch(server)
              await exchange(server, pieces(Buffer.concat(messages.map(({ wire }) => wire)), where))
              expect(received.map(({ method, url, body }) => ({ method, url, body }))).toEqual(
                messages.map(({ method, url, body }) => ({ method, url, body })),
              )
              expect(received.map(({ headers }) => headers[3])).toEqual(messages.map(({ note }) => note))
            },
          ),
          { numRuns: 800 * runs, ...SEED },
        )
      })
    })

    describe.each(SETTINGS)('$name', (setting) => {
      it('answers everything without BITS_POST as before', async () => {
        await fc.assert(
          fc.asyncProperty(stream, places, async (bytes, where) => {
            const innocent = Buffer.from(
              bytes.toString('latin1').replaceAll('BITS_POST ', 'BITS_PAST ').concat('.'),
              'latin1',
            )
            const before = serverFor(setting)
            const after = serverFor(setting, patch)
            const sent = keepTogether(pieces(innocent, where))
            expect(await exchange(after.server, sent)).toBe(await exchange(before.server, sent))
            expect(after.received).toEqual(before.received)
          }),
          { numRuns: 500 * runs, ...SEED },
        )
      })

      it('never finds a rewritten byte in a URL, header, body or upgraded connection', async () => {
        await fc.assert(
          fc.asyncProperty(stream, places, async (bytes, where) => {
            const { server, received } = serverFor(setting, patch)
            // Streams contain no BIND or NUL, so each one that arrives is an error.
            const sent = bytes
              .toString('latin1')
              .replaceAll('BIND', 'LOCK')
              .replaceAll('BIN', 'BON')
              .replaceAll('\0', '-')
            const answer = await exchange(server, pieces(Buffer.from(sent, 'latin1'), where))
            for (const { url, headers, body } of received) {
              expect([url, ...headers, body.toString('latin1')].join()).not.toMatch(/BIN|\0/)
            }
            expect(answer.replaceAll(/^HTTP\/1.1 101 upgrade BIND/gm, '')).not.toMatch(/BIN|\0/)
          }),
          { numRuns: 500 * runs, ...SEED },
        )
      })
    })
  })
}
