import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { expect, test } from '@jest/globals'
import type { Express } from 'express'
import { MemoryStorage, type StagedUpload } from 'express-bits-upload'
import { fixtures } from '../support/fixtures.js'
import { createSession, fragment } from '../support/raw.js'
import { contentOf } from '../support/upload-fixture.js'

const { start, connect } = fixtures()

const PATH = '/uploads/dir/file.bin'
const FILE = contentOf(1000)

/** A storage that has all bytes, but does not resolve until the client has disconnected. */
class LeavingStorage extends MemoryStorage {
  readonly #gone: () => Promise<unknown>

  constructor(gone: () => Promise<unknown>) {
    super()
    this.#gone = gone
  }

  override async append(upload: StagedUpload, offset: number, body: Readable, signal: AbortSignal) {
    const length = await super.append(upload, offset, body, signal)
    await this.#gone()
    return length
  }
}

/** A request as forwarded by a proxy. */
const forwarded = (request: Buffer): Buffer =>
  Buffer.from(
    request
      .toString('latin1')
      .replace('\r\n', '\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: files.example.com\r\n'),
    'latin1',
  )

test('an application receives a file whose client disconnected after the last byte, with its URL and host', async () => {
  const posts: unknown[] = []
  let client: { reset(): void } | undefined
  const sockets: Socket[] = []
  const leave = () =>
    new Promise((resolve) => {
      sockets[0]?.once('close', resolve)
      client?.reset()
    })
  const notified = new Promise<void>((resolve) => {
    const handler = (app: Express) => {
      app.set('trust proxy', 'loopback')
      app.post('/handler', (req, res) => {
        posts.push([req.headers.authorization, req.headers['bits-original-request-url']])
        req.resume()
        res.end()
        resolve()
      })
    }
    void start(
      {
        storage: new LeavingStorage(leave),
        notification: { type: 'by-value', url: '/handler', headers: { Authorization: 'Bearer secret' } },
      },
      { before: handler },
    ).then(async (running) => {
      running.server.on('connection', (socket) => sockets.push(socket))
      const connection = await connect(running)
      client = connection
      // The application receives the origin of Create-Session (D38).
      const created = await connection.exchange(forwarded(createSession(PATH)))
      connection.write(forwarded(fragment(PATH, created.header('BITS-Session-Id') ?? '', FILE)))
    })
  })
  await notified
  expect(posts).toEqual([['Bearer secret', `https://files.example.com${PATH}`]])
})
