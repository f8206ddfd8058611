import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import express from 'express'
import { type BitsUploadOptions, bitsUpload, FileSessionStore, MemoryStorage } from 'express-bits-upload'
import { uploadFile } from 'express-bits-upload/client'
import { stagedFiles } from '../support/files.js'
import { fixtures } from '../support/fixtures.js'
import { createSession } from '../support/raw.js'
import { RecordingLogger } from '../support/serve.js'
import { KB, withFile } from '../support/upload-fixture.js'

const { start, connect, directory, afterwards } = fixtures()

interface Host {
  readonly port: number
  /** `Create-Session`, `Fragment bytes 0-9/10` ..., in order. */
  readonly asked: string[]
  /** Simulates a crash of the machine: closes all connections, and accepts no more. */
  die(): void
}

/** A server with an address of its own. */
async function startHost(address: string, port: number, options: BitsUploadOptions): Promise<Host> {
  const asked: string[] = []
  const bits = bitsUpload({ logger: new RecordingLogger(), ...options })
  const app = express()
  app.use((req, _res, next) => {
    asked.push([req.get('BITS-Packet-Type'), req.get('Content-Range')].filter(Boolean).join(' '))
    next()
  })
  const server = createServer(app.use('/uploads', bits)).listen(port, address)
  await once(server, 'listening')
  const die = () => {
    server.close()
    server.closeAllConnections()
  }
  afterwards(async () => {
    die()
    await bits.close()
  })
  return { port: (server.address() as AddressInfo).port, asked, die }
}

/** Uploads 100 KB through a host that dies after 50. @returns the packets that the origin received from then on. */
async function uploadThroughDeath(origin: BitsUploadOptions, other: BitsUploadOptions) {
  const second = await startHost('127.0.0.2', 0, other)
  const first = await startHost('127.0.0.1', second.port, {
    hostId: '127.0.0.2',
    hostIdFallbackTimeout: 1,
    ...origin,
  })
  return withFile(100 * KB, async ({ path, content }) => {
    const result = await uploadFile(path, `http://127.0.0.1:${first.port}/uploads/file.bin`, {
      minRetryDelay: 50,
      maxRetryDelay: 200,
      retries: 100,
      fragmentSize: 10 * KB,
      onState: ({ offset, hostId }) => {
        if (offset === 50 * KB && hostId !== undefined) second.die()
      },
    })
    return { result, content, first: first.asked, second: second.asked }
  })
}

describe('a host id', () => {
  test('sends the client to the other host, and back when that one dies; with shared storage, the upload continues', async () => {
    const root = await directory()
    const place = () => ({
      directory: root,
      sessionStore: new FileSessionStore({ directory: root, shared: true }),
    })
    const { result, content, first, second } = await uploadThroughDeath(place(), place())
    expect(result.bytes).toBe(100 * KB)
    expect(await readFile(join(root, 'file.bin'))).toEqual(content)
    expect(await stagedFiles(root)).toEqual([])
    expect(second.slice(0, 2)).toEqual(['Ping', 'Fragment bytes 0-10239/102400'])
    expect(first.filter((packet) => packet === 'Create-Session')).toHaveLength(1)
    const fragments = first.filter((packet) => packet.startsWith('Fragment'))
    expect(fragments[0]).toMatch(/^Fragment bytes 51200-/)
    expect(first.at(-1)).toBe('Close-Session')
  })

  test('without shared storage, the upload starts over automatically, and completes', async () => {
    const [here, there] = [await directory(), await directory()]
    const { result, content, first } = await uploadThroughDeath({ directory: here }, { directory: there })
    expect(result.bytes).toBe(100 * KB)
    expect(await readFile(join(here, 'file.bin'))).toEqual(content)
    expect(first.filter((packet) => packet === 'Create-Session').length).toBeGreaterThan(1)
    expect(first).toContainEqual(expect.stringMatching(/^Fragment bytes 0-/))
  })

  test.each([
    [{ hostId: 'bits2.example.com:8080' }, 'bits2.example.com:8080', '86400'],
    [{ hostId: '[2001:db8::1]', hostIdFallbackTimeout: 110 }, '[2001:db8::1]', '110'],
    [{ hostId: '2001:db8::1' }, '2001:db8::1', '86400'],
    [{ hostId: 'FRANKCAO8', hostIdFallbackTimeout: 0 }, 'FRANKCAO8', undefined],
    [{}, undefined, undefined],
  ])('%j is sent at Create-Session as %s, %s', async (options, hostId, timeout) => {
    const running = await start({ storage: new MemoryStorage(), ...options })
    const ack = await (await connect(running)).exchange(createSession('/uploads/file.bin'))
    expect(ack.header('BITS-Host-Id')).toBe(hostId)
    expect(ack.header('BITS-Host-Id-Fallback-Timeout')).toBe(timeout)
  })

  const WRONG = ['', 'a b', 'http://host', 'host/path', 'user@host', 'host:99999', '[::1', 'x'.repeat(301)]
  test.each(WRONG.map((hostId) => [hostId.slice(0, 20), hostId]))('cannot be "%s"', async (_name, hostId) => {
    await expect(start({ storage: new MemoryStorage(), hostId })).rejects.toThrow(/the option hostId is/)
  })

  test.each([5, 0])('is required with a fallback time, %d', async (hostIdFallbackTimeout) => {
    const options = { storage: new MemoryStorage(), hostIdFallbackTimeout }
    await expect(start(options)).rejects.toThrow(
      'the option hostIdFallbackTimeout limits how long clients try hostId',
    )
  })
})
