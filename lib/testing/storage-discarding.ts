import assert from 'node:assert/strict'
import type { ContractTests } from './runner.js'
import type { StorageBench } from './storage-bench.js'

/** How staged bytes are discarded and listed. */
export const DISCARDING: ContractTests<StorageBench> = {
  'a discarded upload is gone, and may be discarded again': async (bench) => {
    const { storage, subject } = bench
    const upload = await bench.filled('a.bin', Buffer.from('abc'))
    await storage.discard(upload)
    assert.equal(await storage.received(upload), 0)
    await storage.discard(upload)
    await storage.discard(bench.newUpload('never.bin'))
    assert.equal(await subject.published('a.bin'), undefined)
  },

  'discarding an upload leaves its published file alone': async (bench) => {
    const { storage } = bench
    const upload = await bench.filled('a.bin', Buffer.from('abc'))
    await storage.publish(upload, { overwrite: false })
    await storage.discard(upload)
    await storage.discard(upload)
    assert.equal(await bench.publishedText('a.bin'), 'abc')
    assert.equal(await storage.has('a.bin'), true)
    assert.equal(await storage.received(upload), 0)
  },

  'an upload can be discarded by its id alone, as the sweep does it': async (bench) => {
    const { storage } = bench
    const published = await bench.filled('a.bin', Buffer.from('abc'))
    await storage.publish(published, { overwrite: false })
    const staged = await bench.filled('b.bin', Buffer.from('abc'))
    for (const { uploadId } of [published, staged]) await storage.discard({ uploadId, destination: '' })
    assert.equal(await storage.received(published), 0)
    assert.equal(await storage.received(staged), 0)
    assert.deepEqual(await bench.listed(), [])
    assert.equal(await bench.publishedText('a.bin'), 'abc')
  },

  'what is received may be asked while an upload is discarded': async (bench) => {
    const { storage } = bench
    const upload = await bench.filled('a.bin', Buffer.from('abc'))
    const asked = Array.from({ length: 20 }, () => storage.received(upload))
    const [, ...answers] = await Promise.all([storage.discard(upload), ...asked])
    for (const held of answers) assert.ok(held === 0 || held === 3, `${held} bytes are received.`)
    assert.equal(await storage.received(upload), 0)
  },

  'staged: lists what is staged, once or more': async (bench) => {
    const { storage } = bench
    if (!storage.staged) return
    const before = Date.now() - 2000
    const staged = await bench.filled('staged.bin', Buffer.from('abc'))
    const empty = await bench.begun('empty.bin')
    const discarded = await bench.filled('discarded.bin', Buffer.from('abc'))
    await storage.discard(discarded)
    await bench.publishedNow('published.bin', 'abc')
    // An upload without bytes may be left out.
    const listed = (await bench.listed()).filter((uploadId) => uploadId !== empty.uploadId)
    assert.deepEqual(listed, [staged.uploadId])
    for await (const { lastModified } of storage.staged()) assert.ok(lastModified.getTime() > before)
  },

  'staged: uploads may be discarded while it runs': async (bench) => {
    const { storage } = bench
    if (!storage.staged) return
    for (let n = 0; n < 30; n++) await bench.filled(`${n}.bin`, Buffer.from('abc'))
    for await (const { uploadId } of storage.staged()) await storage.discard({ uploadId, destination: '' })
    assert.deepEqual(await bench.listed(), [])
  },
}
