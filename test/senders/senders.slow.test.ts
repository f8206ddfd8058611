import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, jest, test } from '@jest/globals'
import { Agent } from 'undici'
import { CuttingProxy } from '../support/cutting-proxy.js'
import { describeWithEngine } from '../support/engines.js'
import { fixtures } from '../support/fixtures.js'
import { PROTOCOL } from '../support/raw.js'
import { contentOf } from '../support/upload-fixture.js'
import { curl, fetchPacket, isOnPath, python, type Send, undici } from './senders.js'
import { uploadThroughFaults } from './upload-through-faults.js'

const { start, directory, afterwards } = fixtures()
jest.setTimeout(120_000)

const MiB = 1024 * 1024
const FILE = contentOf(20 * MiB)
/**
 * The first connections are cut after this many bytes: within a fragment, whether or not a client keeps its connection.
 */
const CUTS = [3 * MiB, 3 * MiB, 3 * MiB]
const PATH = '/uploads/images/disk.img'

async function uploadWith(makeSend: (folder: string) => Send): Promise<void> {
  const root = await directory()
  const running = await start({ directory: root })
  const proxy = await CuttingProxy.start(running.port, CUTS)
  afterwards(() => proxy.stop())
  const send = makeSend(await directory())
  const upload = { send, port: proxy.port, path: PATH, file: FILE, fragmentSize: 4 * MiB }
  expect(await uploadThroughFaults(upload)).toBe(proxy.cuts)
  expect(proxy.cuts).toBeGreaterThan(0)
  expect(sha256(await readFile(join(root, 'images/disk.img')))).toBe(sha256(FILE))
  expect(running.logger.lines.filter((line) => line.startsWith('error'))).toEqual([])
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

describeWithEngine(
  'curl',
  () => isOnPath('curl'),
  () => {
    test('uploads with Content-Length: 0 if there is no body', () =>
      uploadWith((folder) => curl(folder, [], { length: true })))

    test('uploads without Content-Length if there is no body', () =>
      uploadWith((folder) => curl(folder, [], { length: false })))

    test('gets 411 for a streamed fragment of unknown length', async () => {
      const running = await start({ directory: await directory() })
      const folder = await directory()
      const send = curl(folder, [], { length: false })
      const at = { port: running.port, path: PATH }
      const create = { 'BITS-Packet-Type': 'Create-Session', 'BITS-Supported-Protocols': PROTOCOL }
      const session = (await send({ ...at, headers: create })).header('BITS-Session-Id') ?? ''
      const refused = await send({
        ...at,
        headers: {
          'BITS-Packet-Type': 'Fragment',
          'BITS-Session-Id': session,
          'Content-Range': 'bytes 0-9/10',
          'Transfer-Encoding': 'chunked',
        },
        body: FILE.subarray(0, 10),
      })
      expect([refused.status, refused.header('BITS-Error-Code')]).toEqual([411, '0x80070057'])
      expect(running.logger.lines.join('\n')).toContain('The body is chunked: send it with a Content-Length.')
    })
  },
)

describe('clients in Node', () => {
  test('fetch uploads', () => uploadWith(() => fetchPacket))

  test('undici uploads', () =>
    uploadWith(() => {
      const agent = new Agent()
      afterwards(() => agent.destroy())
      return undici(agent)
    }))
})

describeWithEngine(
  'Python',
  () => isOnPath('python3'),
  () => {
    test('http.client uploads', () => uploadWith(python))
  },
)
