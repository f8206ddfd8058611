import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import express from 'express'
import { fragment, openSession, RawConnection } from '../support/raw.js'
import { type Running, serve, temporaryDirectory } from '../support/serve.js'
import { contentOf } from '../support/upload-fixture.js'
import { ask, replyPath, upload } from './support.js'

const FILE = contentOf(5000)

let root: Awaited<ReturnType<typeof temporaryDirectory>>
let running: Running
let reply: string
/** The contents of the reserved folder: records, staged data, a reply. */
let names: string[]
/** Paths requested from the handlers behind bitsUpload(). */
let handedOn: string[] = []

// Two sessions, one in the middle of its upload and one with a reply. express.static serves the directory of their
// files.
beforeAll(async () => {
  root = await temporaryDirectory()
  running = await serve(
    { directory: root.path, onUpload: () => 'the reply' },
    {
      after: (app) => {
        app.use((req, _res, next) => {
          handedOn.push(`${req.method} ${req.url}`)
          next()
        })
        app.use('/uploads', express.static(root.path, { dotfiles: 'allow' }))
      },
    },
  )
  const connection = await RawConnection.open(running.port)
  const unfinished = await openSession(connection, '/uploads/unfinished.bin')
  await connection.exchange(fragment('/uploads/unfinished.bin', unfinished, FILE, 0, 1999))
  const { ack } = await upload(connection, '/uploads/file.bin', FILE)
  reply = replyPath('/uploads/file.bin', ack)
  connection.end()
  await mkdir(join(root.path, 'sub'))
  await writeFile(join(root.path, 'sub', 'file.txt'), 'text')
  names = await readdir(join(root.path, 'BITS-Sessions'))
  const kinds = names.map((name) => name.replace(/.*\./, '')).sort()
  expect(kinds).toEqual(['journal', 'lease', 'part', 'reply'])
})

afterAll(async () => {
  await running.stop()
  await root.remove()
})

describe('below the mount point', () => {
  test.each(['GET', 'HEAD'])('%s of a published file is left to the app', async (method) => {
    for (const path of ['/uploads/file.bin', '/uploads/sub/file.txt', '/uploads/file.bin?BITS-Sessions/x']) {
      expect([path, (await ask(running, path, {}, method)).status]).toEqual([path, 200])
    }
  })

  test('GET of an unknown path is left to the app, even if it looks like a reply', async () => {
    handedOn = []
    const paths = [
      '/uploads/',
      '/uploads/BITS-Session',
      '/uploads/My-BITS-Sessions/x',
      '/uploads/BITS-Sessions2/x',
      '/uploads/%zz',
    ]
    for (const path of paths) await ask(running, path)
    expect(handedOn).toEqual(paths.map((path) => `GET ${path}`))
  })

  test('GET of a reply is answered', async () => {
    const { status, body } = await ask(running, reply)
    expect([status, body.toString()]).toEqual([200, 'the reply'])
  })
})

describe('nothing in the reserved folder can be downloaded', () => {
  const FOLDERS = [
    'BITS-Sessions',
    'bits-sessions',
    'BITS-SESSIONS',
    '%42ITS-Sessions',
    'BITS%2DSessions',
    '%62%69%74%73%2d%73%65%73%73%69%6f%6e%73',
    // Full-width letters, a long s, a soft hyphen, a zero-width joiner: some file systems ignore these differences.
    '%EF%BC%A2ITS-Sessions',
    'BITS-Se%C5%BFsions',
    'BITS%C2%AD-Sessions',
    'BITS-Sess%E2%80%8Dions',
    // Windows removes dots and spaces at the end, treats the part after a colon as a stream, and has short names.
    'BITS-Sessions.',
    'BITS-Sessions%20',
    'BITS-Sessions.%20.',
    'BITS-Sessions::$INDEX_ALLOCATION',
    'BITS-S~1',
    './BITS-Sessions',
    'sub/../BITS-Sessions',
    'sub/%2e%2e/BITS-Sessions',
    'sub%2f..%2fBITS-Sessions',
    'sub/..\\BITS-Sessions',
    'sub%5C..%5CBITS-Sessions',
    '/BITS-Sessions',
    'sub/BITS-Sessions',
  ]

  test.each(FOLDERS)('by the name %s', async (folder) => {
    for (const name of ['', ...names]) {
      for (const separator of ['/', '%2F', '\\', '%5c', '//']) {
        for (const method of ['GET', 'HEAD']) {
          handedOn = []
          const path = `/uploads/${folder}${separator}${name}`
          const { status, body } = await ask(running, path, {}, method)
          expect([path, status, body.length]).toEqual([path, 404, 0])
          expect(handedOn).toEqual([])
        }
      }
    }
  })

  test('in a range', async () => {
    const path = `/uploads/BITS-Sessions/${names.find((name) => name.endsWith('.part'))}`
    expect((await ask(running, path, { Range: 'bytes=0-1' })).status).toBe(404)
  })

  test('with a request target in absolute form', async () => {
    const path = `http://h/uploads/BITS-Sessions/${names[0]}`
    expect((await ask(running, path)).status).toBe(404)
  })

  test('as the reply of a session that has none, or of an unknown session', async () => {
    const guids = [
      '{A0FF5911-4144-45B3-BF27-27AFC8EC8A67}',
      ...names.map((name) => name.slice(0, 32)),
      '..',
      '',
    ]
    for (const guid of guids) {
      const path = `/uploads/BITS-Sessions/Replies/${guid}/responsefile.bin`
      expect([path, (await ask(running, path)).status]).toEqual([path, 404])
    }
  })

  test('and no response reveals anything about it', async () => {
    const { headers } = await ask(running, `/uploads/BITS-Sessions/${names[0]}`)
    for (const name of ['etag', 'last-modified', 'content-location', 'x-powered-by-file']) {
      expect(headers).not.toHaveProperty(name)
    }
  })
})
