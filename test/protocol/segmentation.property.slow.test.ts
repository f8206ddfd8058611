import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { MemoryStorage } from 'express-bits-upload'
import fc from 'fast-check'
import { bytes } from '../support/bytes.js'
import { fixtures } from '../support/fixtures.js'
import { closeSession, fragment, openSession, type RawConnection } from '../support/raw.js'

const { start, connect, directory } = fixtures()

/** A fragment, relative to the offset in the last Ack. */
interface Step {
  /** Bytes before (overlap) or after (gap) that offset. */
  shift: number
  length: number
}

const step: fc.Arbitrary<Step> = fc.record({
  shift: fc.oneof(
    { weight: 3, arbitrary: fc.constant(0) },
    { weight: 2, arbitrary: fc.integer({ min: -6000, max: -1 }) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 3000 }) },
  ),
  length: fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 9000 })),
})

const uploads = fc.record({
  size: fc.integer({ min: 1, max: 20_000 }),
  steps: fc.array(step, { maxLength: 10 }),
})

const FILE = bytes(20_000)
let count = 0

/** Uploads a file in these steps, then the rest. Checks each Ack against what the server must have by then. */
async function upload(connection: RawConnection, file: Buffer, steps: readonly Step[]): Promise<string> {
  const name = `file-${count++}`
  const path = `/uploads/${name}`
  const id = await openSession(connection, path)
  let offset = 0
  const send = async (first: number, last: number) => {
    const ack = await connection.exchange(fragment(path, id, file, first, last))
    const isComplete = offset === file.length
    const isGap = first > offset && !isComplete
    const held = isGap ? offset : Math.max(offset, last + 1)
    expect([ack.status, ack.header('BITS-Received-Content-Range')]).toEqual([isGap ? 416 : 200, String(held)])
    offset = held
  }
  for (const { shift, length } of steps) {
    const first = Math.min(Math.max(offset + shift, 0), file.length - 1)
    await send(first, Math.min(first + length, file.length) - 1)
  }
  if (offset < file.length) await send(offset, file.length - 1)
  expect((await connection.exchange(closeSession(path, id))).status).toBe(200)
  return name
}

test('D2: however a file is cut, overlapping, repeated or with gaps, it arrives as it was (memory)', async () => {
  const storage = new MemoryStorage()
  const connection = await connect(await start({ storage }))
  await fc.assert(
    fc.asyncProperty(uploads, async ({ size, steps }) => {
      const file = FILE.subarray(0, size)
      const name = await upload(connection, file, steps)
      expect(storage.files.get(name)?.equals(file)).toBe(true)
    }),
    { numRuns: 60 },
  )
})

test('D2: however a file is cut, overlapping, repeated or with gaps, it arrives as it was (files)', async () => {
  const root = await directory()
  const connection = await connect(await start({ directory: root }))
  await fc.assert(
    fc.asyncProperty(uploads, async ({ size, steps }) => {
      const file = FILE.subarray(0, size)
      const name = await upload(connection, file, steps)
      expect((await readFile(join(root, name))).equals(file)).toBe(true)
    }),
    { numRuns: 40 },
  )
})
