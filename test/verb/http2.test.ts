import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  connect as connectHttp2,
  createSecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import express from 'express'
import { acceptBitsPost, bitsUpload } from 'express-bits-upload'
import { uploadFile } from 'express-bits-upload/client'
import { bytes } from '../support/bytes.js'
import { Authority } from '../support/certificates.js'
import { fixtures } from '../support/fixtures.js'
import { RecordingLogger } from '../support/serve.js'

const { directory: newDirectory, afterwards } = fixtures()

const FILE = bytes(300_000)

test.each([
  { acceptance: 'by itself', acceptBitsPost: true },
  { acceptance: 'with acceptBitsPost(server)', acceptBitsPost: false },
])(
  'a server of node:http2 receives uploads from clients that speak HTTP/1.1 $acceptance',
  async (options) => {
    const directory = await newDirectory()
    const authority = await Authority.create(await newDirectory())
    const own = await authority.issue('server')
    const ca = authority.own.cert
    const logger = new RecordingLogger()
    const bits = bitsUpload({ directory, logger, acceptBitsPost: options.acceptBitsPost })
    afterwards(() => bits.close())
    const app = express().use('/uploads', bits)
    // Express does not support HTTP/2.
    const handle = (req: IncomingMessage | Http2ServerRequest, res: ServerResponse | Http2ServerResponse) => {
      if (req.httpVersionMajor === 2) res.end(`${req.method} by HTTP/2`)
      else Reflect.apply(app, undefined, [req, res])
    }
    const server = createSecureServer({ key: own.key, cert: own.cert, allowHTTP1: true }, handle)
    if (!options.acceptBitsPost) acceptBitsPost(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    afterwards(() => server.close())
    const origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`

    const tls = { ca }
    await uploadFile(FILE, `${origin}/uploads/file.bin`, { tls, fragmentSize: 64 * 1024 })
    expect((await readFile(join(directory, 'file.bin'))).equals(FILE)).toBe(true)

    const session = connectHttp2(origin, { ca })
    const stream = session.request({ ':path': '/' })
    const chunks: Buffer[] = []
    for await (const chunk of stream) chunks.push(chunk)
    session.destroy()
    expect(Buffer.concat(chunks).toString()).toBe('GET by HTTP/2')
    expect(logger.lines.filter((line) => /^(?:warn|error)/.test(line))).toEqual([])
  },
)
