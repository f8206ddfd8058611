import { expect } from '@jest/globals'
import { closeSession, createSession, fragment, type RawAck, RawConnection } from '../support/raw.js'

/** The outcome of an upload for a client. */
export interface Outcome {
  readonly status: number
  /** HRESULT of the error; `undefined` on success. */
  readonly code: string | undefined
}

/** Uploads a file in one fragment. @returns the last Ack that concerned its bytes. */
export async function upload(
  port: number,
  path: string,
  content = Buffer.from('uploaded'),
): Promise<Outcome> {
  const connection = await RawConnection.open(port)
  try {
    const created = await connection.exchange(createSession(path))
    const id = created.header('BITS-Session-Id')
    if (id === undefined) return outcomeOf(created)
    const ack = await connection.exchange(fragment(path, id, content))
    await connection.exchange(closeSession(path, id))
    return outcomeOf(ack)
  } finally {
    connection.end()
  }
}

export function outcomeOf(ack: RawAck): Outcome {
  expect(ack.header('BITS-Packet-Type')).toBe('Ack')
  return { status: ack.status, code: ack.header('BITS-Error-Code') }
}

export const ARRIVED: Outcome = { status: 200, code: undefined }
export const REFUSED_OUTCOME: Outcome = { status: 403, code: '0x80070005' }
export const NO_FILE: Outcome = { status: 400, code: '0x80070057' }
