import { expect } from '@jest/globals'
import { PROTOCOL } from '../support/raw.js'
import type { Answer, Send } from './senders.js'

const GAP = 64 * 1024
const MAX_DROPS = 20

export interface FaultyUpload {
  readonly send: Send
  readonly port: number
  readonly path: string
  readonly file: Buffer
  /** Bytes. */
  readonly fragmentSize: number
}

/**
 * Uploads a file like a client that loses connections: repeats a fragment until there is an Ack. Once, it skips some
 * bytes, and continues at the offset in the Ack.
 *
 * @returns how many connections broke.
 */
export async function uploadThroughFaults(upload: FaultyUpload): Promise<number> {
  const { send, port, path, file, fragmentSize } = upload
  let drops = 0
  let isGapSent = false
  const packet = (type: string, headers: Record<string, string>, body?: Buffer) =>
    send({ port, path, headers: { 'BITS-Packet-Type': type, ...headers }, body })

  const created = await packet('Create-Session', { 'BITS-Supported-Protocols': PROTOCOL })
  expectAck(created, 200)
  const session = { 'BITS-Session-Id': created.header('BITS-Session-Id') ?? '' }

  const sendFragment = async (first: number): Promise<Answer | undefined> => {
    const end = Math.min(first + fragmentSize, file.length)
    const headers = { ...session, 'Content-Range': `bytes ${first}-${end - 1}/${file.length}` }
    try {
      return await packet('Fragment', headers, file.subarray(first, end))
    } catch (error) {
      drops++
      if (drops > MAX_DROPS) throw error
      return undefined
    }
  }

  let offset = 0
  while (offset < file.length) {
    const hasGap: boolean = offset > 0 && !isGapSent
    const ack = await sendFragment(hasGap ? offset + GAP : offset)
    if (!ack) continue
    expectAck(ack, hasGap ? 416 : 200)
    const received = Number(ack.header('BITS-Received-Content-Range'))
    if (hasGap) expect(received).toBe(offset)
    else expect(received).toBeGreaterThan(offset)
    isGapSent ||= hasGap
    offset = received
  }
  expect(isGapSent).toBe(true)
  expectAck(await packet('Close-Session', session), 200)
  return drops
}

function expectAck(answer: Answer, status: number): void {
  expect([answer.status, answer.header('BITS-Packet-Type')]).toEqual([status, 'Ack'])
}
