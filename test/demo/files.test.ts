import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { uploadFile } from 'express-bits-upload/client'
import { openLine } from '../../demo/cut-connection.js'
import { type RunningDemo, startDemo } from './support.js'

let demo: RunningDemo
beforeEach(async () => {
  demo = await startDemo({ users: { ada: 'secret' } })
})
afterEach(() => demo.stop())

const get = (path: string, init?: RequestInit) => fetch(demo.origin + path, init)
interface Listed {
  readonly name: string
  readonly url: string
  readonly size: number
}

async function listing(): Promise<Listed[]> {
  const files: unknown = await (await get('/uploads/')).json()
  return Array.isArray(files) ? files : []
}

/** A session with part of its file. */
async function uploadPart(name: string): Promise<void> {
  const source = await demo.write('source', Buffer.alloc(1024 * 1024))
  const line = await openLine({ host: '127.0.0.1', port: demo.port }, 256 * 1024)
  const stop = new AbortController()
  const uploading = uploadFile(source, `http://127.0.0.1:${line.port}/uploads/${name}`, {
    fragmentSize: 16 * 1024,
    signal: stop.signal,
    cancelOnAbort: false,
    onProgress: ({ acknowledged }) => acknowledged > 0 && stop.abort(),
  })
  await expect(uploading).rejects.toThrow()
  await line.close()
}

test('uploaded files are listed, and served to GET, HEAD and ranges', async () => {
  const source = await demo.write('source', 'Hello, BITS.')
  await uploadFile(source, `${demo.origin}/uploads/dir/a%20%23%25%C3%A9.txt`)
  expect(await listing()).toEqual([
    expect.objectContaining({ name: 'dir/a #%é.txt', url: '/uploads/dir/a%20%23%25%C3%A9.txt', size: 12 }),
  ])
  const url = (await listing())[0]?.url ?? ''
  expect(await (await get(url)).text()).toBe('Hello, BITS.')
  const head = await get(url, { method: 'HEAD' })
  expect(head.headers.get('content-length')).toBe('12')
  const range = await get(url, { headers: { Range: 'bytes=7-10' } })
  expect([range.status, await range.text()]).toEqual([206, 'BITS'])
})

test('an uploaded page is downloaded, and cannot run as part of the site', async () => {
  const source = await demo.write('source', '<script>alert(1)</script>')
  await uploadFile(source, `${demo.origin}/uploads/index.html`)
  const { headers } = await get('/uploads/index.html')
  expect(headers.get('content-type')).toBe('application/octet-stream')
  expect(headers.get('content-disposition')).toBe('attachment')
  expect(headers.get('x-content-type-options')).toBe('nosniff')
})

test('staged data and session records are neither listed nor served', async () => {
  await uploadPart('unfinished.bin')
  const staged = await readdir(join(demo.directory, 'BITS-Sessions'), { recursive: true })
  expect(staged.length).toBeGreaterThan(1)
  await symlink(join(demo.directory, 'BITS-Sessions'), join(demo.directory, 'alias'))
  expect(await listing()).toEqual([])
  const folders = [
    'BITS-Sessions',
    '%42ITS-Sessions',
    './BITS-Sessions',
    'x/../BITS-Sessions',
    'alias',
    '/BITS-Sessions',
  ]
  for (const folder of folders) {
    for (const name of ['', ...staged]) {
      expect((await rawGet(`/uploads/${folder}/${name}`)).status).toBeGreaterThanOrEqual(400)
    }
  }
})

/** `fetch` would normalize the path. */
async function rawGet(path: string): Promise<{ status: number }> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port: demo.port, path, agent: false }, (res) => {
      res.resume()
      resolve({ status: res.statusCode ?? 0 })
    })
      .on('error', reject)
      .end()
  })
}

test('nothing outside the directory is served', async () => {
  await demo.write('outside.txt', 'private')
  await symlink(join(demo.directory, '..', 'outside.txt'), join(demo.directory, 'link.txt'))
  for (const path of [
    '/link.txt',
    '/../outside.txt',
    '/%2e%2e/outside.txt',
    '/..%2foutside.txt',
    '/a%00b',
    '/%ff',
  ]) {
    expect((await rawGet(`/uploads${path}`)).status).toBeGreaterThanOrEqual(400)
  }
  expect(await listing()).toEqual([])
})

test('hidden names are neither listed, nor served, nor uploaded to', async () => {
  await mkdir(join(demo.directory, '.git'), { recursive: true })
  await writeFile(join(demo.directory, '.git', 'config'), 'private')
  expect(await listing()).toEqual([])
  expect((await get('/uploads/.git/config')).status).toBe(404)
  const source = await demo.write('source', 'x')
  await expect(uploadFile(source, `${demo.origin}/uploads/.git/hook`)).rejects.toMatchObject({ status: 403 })
})

test('a file is not replaced by a later upload', async () => {
  const source = await demo.write('source', 'first')
  await uploadFile(source, `${demo.origin}/uploads/a.txt`)
  await expect(uploadFile(source, `${demo.origin}/uploads/a.txt`, { retries: 0 })).rejects.toMatchObject({
    status: 403,
  })
  expect(await readFile(join(demo.directory, 'a.txt'), 'utf8')).toBe('first')
})

test('a session belongs to the user with the right password, and a wrong one is refused', async () => {
  const users: (string | undefined)[] = []
  demo.bits.on('session', ({ user }) => users.push(user))
  const source = await demo.write('source', 'x')
  await uploadFile(source, `http://ada:secret@127.0.0.1:${demo.port}/uploads/a.txt`)
  await uploadFile(source, `${demo.origin}/uploads/b.txt`)
  expect(users).toEqual(['ada', undefined])
  for (const credentials of ['ada:wrong', 'ada:', 'bob:secret', '__proto__:x']) {
    const url = `http://${credentials}@127.0.0.1:${demo.port}/uploads/c.txt`
    await expect(uploadFile(source, url)).rejects.toMatchObject({ status: 401 })
  }
})
