import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { expect, test } from '@jest/globals'
import { VerbRewriter } from '../../lib/verb/verb-rewriter.js'

function requestOf(method: string, url: string, headers: string[]): IncomingMessage {
  const request = new IncomingMessage(new Socket())
  return Object.assign(request, { method, url, rawHeaders: headers, complete: true })
}

const HEAD = 'PUT /a HTTP/1.1\r\nHost: a\r\n\r\n'

/** The result of the rewriter for a buffer with a BITS_POST after a head, which the parser reports as this request. */
function rewritten(pieces: string[], request: IncomingMessage): string {
  const rewriter = new VerbRewriter()
  const buffers = pieces.map((piece) => Buffer.from(piece))
  for (const buffer of buffers) rewriter.read(buffer)
  rewriter.announced(request)
  return buffers.join('')
}

const whole = [`${HEAD}BITS_POST /b`]
const inPieces = ['PUT', ' /', `a HTTP/1.1\r\nHost: a\r\n\r\nBITS_POST /b`]

test.each([[whole], [inPieces]])('continues after a head that the parser has also read: %j', (pieces) => {
  expect(rewritten(pieces, requestOf('PUT', '/a', ['Host', 'a']))).toBe(`${HEAD}BIND      /b`)
})

test.each([
  ['another verb', requestOf('POST', '/a', ['Host', 'a'])],
  ['another URL', requestOf('PUT', '/ab', ['Host', 'a'])],
  ['a part of the URL', requestOf('PUT', '/', ['Host', 'a'])],
  ['more headers', requestOf('PUT', '/a', ['Host', 'a', 'X', 'y'])],
  ['fewer headers', requestOf('PUT', '/a', [])],
])('rewrites nothing after an announcement with %s', (_name, request) => {
  for (const pieces of [whole, inPieces]) expect(rewritten(pieces, request)).toBe(`${HEAD}BITS_POST /b`)
})
