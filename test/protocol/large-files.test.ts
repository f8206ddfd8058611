import type { Readable } from 'node:stream'
import { expect, test } from '@jest/globals'
import { MemoryStorage, type StagedUpload, type StoredFile } from 'express-bits-upload'
import { expectAck, expectUsable } from '../support/expect-ack.js'
import { fixtures } from '../support/fixtures.js'
import { openSession, packet } from '../support/raw.js'

const { start, connect } = fixtures()

const PATH = '/uploads/huge.bin'
const MAX = Number.MAX_SAFE_INTEGER

/** A storage that pretends to hold a huge number of bytes, and stores none. */
class SparseStorage extends MemoryStorage {
  length: number
  published: StoredFile | undefined

  constructor(length: number) {
    super()
    this.length = length
  }

  override async received(): Promise<number> {
    return this.length
  }

  override async append(_upload: StagedUpload, offset: number, body: Readable): Promise<number> {
    expect(offset).toBe(this.length)
    for await (const chunk of body) this.length += chunk.length
    return this.length
  }

  override async publish(upload: StagedUpload): Promise<StoredFile> {
    this.published = { destination: upload.destination, size: this.length }
    return this.published
  }
}

const fragment = (id: string, first: number | string, last: number | string, total: number | string) =>
  packet(
    'Fragment',
    PATH,
    { 'BITS-Session-Id': id, 'Content-Range': `bytes ${first}-${last}/${total}` },
    Buffer.alloc(10),
  )

const edges: [what: string, held: number][] = [
  ['2^31', 2 ** 31 - 5],
  ['2^32', 2 ** 32 - 5],
  ['2^40', 2 ** 40 - 5],
  ['2^53 - 1', MAX - 25],
]
test.each(edges)('offsets are exact around %s', async (_, held) => {
  const storage = new SparseStorage(held)
  const connection = await connect(await start({ storage }))
  const id = await openSession(connection, PATH)
  const total = held + 25
  const gap = await connection.exchange(fragment(id, held + 1, held + 10, total))
  expectAck(gap, { status: 416, session: id, offset: held })
  const first = await connection.exchange(fragment(id, held, held + 9, total))
  expectAck(first, { status: 200, session: id, offset: held + 10 })
  const overlap = await connection.exchange(fragment(id, held + 5, held + 14, total))
  expectAck(overlap, { status: 200, session: id, offset: held + 15 })
  const last = await connection.exchange(fragment(id, held + 15, held + 24, total))
  expectAck(last, { status: 200, session: id, offset: total })
  expect(storage.published).toEqual({ destination: 'huge.bin', size: total })
})

const beyond: [range: [string, string, string]][] = [
  [['0', '9', '9007199254740992']],
  [['0', '9', '9007199254740993']],
  [['9007199254740983', '9007199254740992', '9007199254740993']],
  [['0', '9', '18446744073709551616']],
  [['0', '9', '9'.repeat(400)]],
]
test.each(beyond)('a total beyond 2^53 - 1 is 500 + BG_E_TOO_LARGE: %j', async (range) => {
  const storage = new MemoryStorage()
  const connection = await connect(await start({ storage }))
  const id = await openSession(connection, PATH)
  const ack = await connection.exchange(fragment(id, ...range))
  expectAck(ack, { status: 500, error: '0x80200020', session: id, offset: 0 })
  expect(storage.bytes).toBe(0)
  await expectUsable(connection)
})
