import { spawnSync } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { describe, expect, test } from '@jest/globals'
import { BitsError, type BitsUploadOptions, MemoryStorage, type StagedUpload } from 'express-bits-upload'
import { expectAck } from '../support/expect-ack.js'
import { openFiles, stagedFiles } from '../support/files.js'
import { fixtures } from '../support/fixtures.js'
import { fragment } from '../support/raw.js'
import { until } from '../support/soak.js'
import { contentOf } from '../support/upload-fixture.js'
import { Application, ok } from './application.js'
import { ask, pause, replyPath, upload } from './support.js'

const { start, connect, directory, afterwards } = fixtures()

const PATH = '/uploads/file.bin'
const FILE = contentOf(20_000)
const REPLY = contentOf(3_000_000).toString('base64')
const MiB = 1024 * 1024
const FULL = { status: 500, error: '0x80070070', context: '0x5' }
const UNFORESEEN = { status: 500, error: '0x80004005', context: '0x5' }

const noSpace = () => Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })

type Failure = (body: Readable) => Promise<never>

/** The ways in which a storage can fail to store a reply. */
const FAILURES: [string, Failure][] = [
  [
    'before it reads',
    async () => {
      throw noSpace()
    },
  ],
  [
    'while it reads',
    async (body) => {
      for await (const _chunk of body) throw noSpace()
      throw new Error('There was no reply.')
    },
  ],
  [
    'in a pipeline',
    async (body) => {
      await pipeline(body, new Writable({ write: (_chunk, _encoding, done) => done(noSpace()) }))
      throw new Error('There was no reply.')
    },
  ],
]

/** Cannot store replies while `failure` is set. */
class Unable extends MemoryStorage {
  failure: Failure | undefined

  constructor(failure: Failure) {
    super()
    this.failure = failure
  }

  override async writeReply(upload: StagedUpload, body: Readable): Promise<number> {
    return this.failure ? this.failure(body) : super.writeReply(upload, body)
  }
}

/** When the storage has recovered, the last fragment is sent again, and the application is called again. */
async function expectRecovery(options: BitsUploadOptions & { storage: Unable }) {
  const running = await start(options)
  const connection = await connect(running)
  const { id, ack } = await upload(connection, PATH, FILE)
  expectAck(ack, { ...FULL, session: id, offset: FILE.length })
  expect(options.storage.files.size).toBe(0)
  options.storage.failure = undefined
  const again = await connection.exchange(fragment(PATH, id, FILE))
  expectAck(again, { status: 200, session: id, offset: FILE.length })
  expect((await ask(running, replyPath(PATH, again))).body.toString() === REPLY).toBe(true)
  expect(options.storage.files.get('file.bin')).toEqual(FILE)
}

describe.each(FAILURES)(
  'a storage without space for a reply that fails %s is not blamed on the application',
  (_name, failure) => {
    test('which is a function', async () => {
      const replies: Readable[] = []
      const onUpload = () => {
        const reply = Readable.from(REPLY.match(/.{1,50000}/g) ?? [])
        replies.push(reply)
        return reply
      }
      await expectRecovery({ storage: new Unable(failure), onUpload })
      expect(replies.map(({ destroyed }) => destroyed)).toEqual([true, true])
    })

    test('which is behind HTTP', async () => {
      const application = await Application.start(ok({}, REPLY))
      afterwards(() => application.stop())
      await expectRecovery({
        storage: new Unable(failure),
        notification: { type: 'by-value', url: application.url },
      })
      while (application.connections > 0) await pause(5)
    })
  },
)

describe('a storage that fails otherwise', () => {
  test('while it keeps a reply is reported, and not blamed on the application', async () => {
    const failure = Object.assign(new Error('the disk is broken'), { code: 'EIO' })
    const running = await start({
      storage: new Unable(async () => Promise.reject(failure)),
      onUpload: () => 'a reply',
    })
    const errors: unknown[] = []
    running.bits.on('error', (error) => errors.push(error))
    const { id, ack } = await upload(await connect(running), PATH, FILE)
    expectAck(ack, { ...UNFORESEEN, session: id, offset: FILE.length })
    expect(errors).toEqual([failure])
  })

  test('with 403 does not count as a permanent refusal by the application', async () => {
    const storage = new Unable(async () =>
      Promise.reject(new BitsError('access-denied', 'a policy of the bucket')),
    )
    const running = await start({ storage, onUpload: () => 'a reply' })
    const connection = await connect(running)
    const { id, ack } = await upload(connection, PATH, FILE)
    expectAck(ack, { status: 403, error: '0x80070005', context: '0x5', session: id, offset: FILE.length })
    storage.failure = undefined
    expect((await connection.exchange(fragment(PATH, id, FILE))).status).toBe(200)
  })

  test('ends the stream of the reply, and ignores an error from ending it', async () => {
    let ended = false
    async function* reply() {
      try {
        for (;;) yield 'a line\n'
      } finally {
        ended = true
        await Promise.reject(new Error('cannot end'))
      }
    }
    for (const [, failure] of FAILURES.slice(1)) {
      ended = false
      const running = await start({ storage: new Unable(failure), onUpload: () => reply() })
      const { id, ack } = await upload(await connect(running), PATH, FILE)
      expectAck(ack, { ...FULL, session: id, offset: FILE.length })
      while (!ended) await pause(5)
    }
  })

  test('long after an HTTP application has responded in time is not blamed on the application', async () => {
    const application = await Application.start(ok({}, 'in time'))
    afterwards(() => application.stop())
    const storage = new Unable(async (body) => {
      await buffer(body)
      await pause(2200)
      throw noSpace()
    })
    const notification = { type: 'by-value', url: application.url, timeout: 2 } as const
    const running = await start({ storage, notification })
    const { id, ack } = await upload(await connect(running), PATH, FILE)
    expectAck(ack, { ...FULL, session: id, offset: FILE.length })
  })

  test('while it reads the bytes for an HTTP application is not blamed on the application', async () => {
    class Unreadable extends MemoryStorage {
      override read(): Readable {
        return new Readable({ read: (): void => {} }).destroy(new Error('the disk is broken'))
      }
    }
    const application = await Application.start()
    afterwards(() => application.stop())
    const notification = { type: 'by-value', url: application.url } as const
    const running = await start({ storage: new Unreadable(), notification })
    const { id, ack } = await upload(await connect(running), PATH, FILE)
    expectAck(ack, { ...UNFORESEEN, session: id, offset: FILE.length })
    expect(running.logger.lines.join()).toContain('the disk is broken')
    expect(application.notifications).toEqual([])
    while (application.connections > 0) await pause(5)
  })
})

describe('a reply whose stream fails', () => {
  test('before the storage reads it is blamed on the application, and does not crash the process', async () => {
    const root = await directory()
    const onUpload = () => createReadStream(join(root, 'missing'))
    const running = await start({ directory: root, onUpload })
    const { id, ack } = await upload(await connect(running), PATH, FILE)
    expectAck(ack, { status: 500, error: '0x80004005', context: '0x7', session: id, offset: FILE.length })
    expect(running.logger.lines.join()).toContain('ENOENT')
    await until(async () => (await openFiles(root)).length === 0)
  })

  test('because its own disk is full is blamed on the application', async () => {
    const reply = () =>
      new Readable({
        read() {
          this.destroy(noSpace())
        },
      })
    const running = await start({ storage: new MemoryStorage(), onUpload: reply })
    const { id, ack } = await upload(await connect(running), PATH, FILE)
    expectAck(ack, { status: 500, error: '0x80004005', context: '0x7', session: id, offset: FILE.length })
  })

  test('that was destroyed before it was read is blamed on the application', async () => {
    const running = await start({
      storage: new MemoryStorage(),
      onUpload: () => Readable.from(['gone']).destroy(),
    })
    const { id, ack } = await upload(await connect(running), PATH, FILE)
    expectAck(ack, { status: 500, error: '0x80004005', context: '0x7', session: id, offset: FILE.length })
  })
})

const DISK = 8 * MiB

/** Mounts a small disk. @returns its path; `undefined` if this process may not mount. */
async function smallDisk(): Promise<string | undefined> {
  const root = await directory()
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK}`, 'tmpfs', root])
  if (status !== 0) return undefined
  afterwards(() => spawnSync('umount', ['--lazy', root]))
  return root
}

describe('a small disk that fills up while a reply is written', () => {
  const applications: [string, () => Promise<BitsUploadOptions>][] = [
    ['a function', async () => ({ onUpload: () => REPLY })],
    ...(['by-reference', 'by-value'] as const).map((type): [string, () => Promise<BitsUploadOptions>] => [
      `a notification ${type}`,
      async () => {
        const application = await Application.start(ok({}, REPLY))
        afterwards(() => application.stop())
        return { notification: { type, url: application.url } }
      },
    ]),
  ]

  test.each(applications)('of an application that is %s', async (_name, options) => {
    const root = await smallDisk()
    if (!root) {
      process.stderr.write('  Nothing can be mounted here: no real disk gets full in this test.\n')
      return
    }
    const running = await start({ directory: root, ...(await options()) })
    await running.bits.sessions()
    await writeFile(join(root, 'ballast'), Buffer.alloc(DISK - MiB))
    const connection = await connect(running)
    const { id, ack } = await upload(connection, PATH, FILE)
    expectAck(ack, { ...FULL, session: id, offset: FILE.length })
    expect((await stagedFiles(root)).filter((name) => !name.endsWith('.part'))).toEqual([])
    await until(async () => (await openFiles(root)).length === 0)

    await rm(join(root, 'ballast'))
    const again = await connection.exchange(fragment(PATH, id, FILE))
    expectAck(again, { status: 200, session: id, offset: FILE.length })
    expect((await ask(running, replyPath(PATH, again))).body.toString() === REPLY).toBe(true)
    expect(await readFile(join(root, 'file.bin'))).toEqual(FILE)
  })
})
