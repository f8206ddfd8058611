import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { fixtures } from '../support/fixtures.js'
import type { RawAck } from '../support/raw.js'

interface Vector {
  requestLine: string
  everyRequest: Record<string, string>
  everyAck: { status: number } & Record<string, string | number>
  exchanges: { request: Record<string, string>; body?: string; ack: Record<string, string> }[]
}

const { start, connect, directory } = fixtures()

/** The header order of the capture (protocol.md 6.6). */
const ORDER = [
  'Accept',
  'BITS-Packet-Type',
  'BITS-Session-Id',
  'BITS-Supported-Protocols',
  'Content-Name',
  'Content-Range',
  'User-Agent',
  'Host',
  'Content-Length',
  'Connection',
]

const VECTOR = new URL('../vectors/simple-upload.json', import.meta.url)
const ISSUED = '<issued>'

test('MC-BUP 4.1: the captured upload is answered as captured, header by header', async () => {
  const vector: Vector = JSON.parse(await readFile(VECTOR, 'utf8'))
  const root = await directory()
  const connection = await connect(await start({ directory: root }, { mount: '/upload' }))
  const file = Buffer.from('RFC 2119 '.repeat(600)).subarray(0, 4892)
  let issued = ''

  for (const { request, body, ack } of vector.exchanges) {
    const head = requestHead(vector, request, issued)
    const answer = await connection.exchange(
      body === undefined ? head : Buffer.concat([Buffer.from(head), file]),
    )
    issued ||= answer.header('BITS-Session-Id') ?? ''
    const { status, ...everyAck } = vector.everyAck
    expect(answer.status).toBe(status)
    expect(spelledHeaders(answer)).toMatchObject(withId({ ...everyAck, ...ack }, issued))
    expect(Object.keys(spelledHeaders(answer)).filter((name) => name.startsWith('BITS-Error'))).toEqual([])
  }

  expect(issued).toMatch(/^\{[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}\}$/)
  expect(await readFile(join(root, '2000mb-rfc2119.txt'))).toEqual(file)
})

function requestHead(vector: Vector, own: Record<string, string>, issued: string): string {
  const headers = new Map(Object.entries(withId({ ...vector.everyRequest, ...own }, issued)))
  const lines = ORDER.filter((name) => headers.has(name)).map((name) => `${name}: ${headers.get(name)}`)
  expect(lines).toHaveLength(headers.size)
  return `${[vector.requestLine, ...lines].join('\r\n')}\r\n\r\n`
}

const withId = <Value>(headers: Record<string, Value>, issued: string): Record<string, Value | string> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, value === ISSUED ? issued : value]),
  )

const spelledHeaders = (ack: RawAck): Record<string, string> => Object.fromEntries(ack.headers)
