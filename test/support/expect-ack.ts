import { expect } from '@jest/globals'
import { packet, type RawAck, type RawConnection } from './raw.js'

/** The expected Ack. Fields that are absent here must be absent there, too. */
export interface ExpectedAck {
  status: number
  /** HRESULT in both error headers, as sent. If absent, the Ack must have none of the three error headers. */
  error?: string
  /** Default if there is an error: `0x5`. */
  context?: string
  /** The echoed session id. */
  session?: string
  /** BITS-Received-Content-Range. */
  offset?: number
}

/** Checks everything in an Ack that belongs to the protocol, and that no header is repeated or unexpected. */
export function expectAck(ack: RawAck, expected: ExpectedAck): void {
  const { status, error, context = error === undefined ? undefined : '0x5', session, offset } = expected
  const wanted = {
    status,
    'BITS-Packet-Type': 'Ack',
    'Content-Length': '0',
    'BITS-Error-Code': error,
    'BITS-Error': error,
    'BITS-Error-Context': context,
    'BITS-Session-Id': session,
    'BITS-Received-Content-Range': offset === undefined ? undefined : String(offset),
  }
  const names = Object.keys(wanted).filter((name) => name !== 'status')
  const found = Object.fromEntries(names.map((name) => [name, ack.header(name)]))
  expect({ status: ack.status, ...found }).toEqual(wanted)
  expect(ack.body.length).toBe(0)
  const lowerCase = ack.headers.map(([name]) => name.toLowerCase())
  expect(lowerCase).toEqual([...new Set(lowerCase)])
}

/** Checks that the connection stays open: a Ping on it is answered. */
export async function expectUsable(connection: RawConnection): Promise<void> {
  const ack = await connection.exchange(packet('Ping', '/uploads/any'))
  expect(ack.header('BITS-Packet-Type')).toBe('Ack')
}

/** Checks that the Ack announced it, and that the server closed the connection. */
export async function expectClosing(connection: RawConnection, ack: RawAck): Promise<void> {
  expect(ack.header('Connection')).toBe('close')
  await connection.closed()
}
