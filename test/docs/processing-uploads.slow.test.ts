import { createHash } from 'node:crypto'
import { readdir, stat, writeFile } from 'node:fs/promises'
import { describe, expect, test } from '@jest/globals'
import { MemoryStorage, type StorageAdapter } from 'express-bits-upload'
import { ask, replyPath, upload } from '../delivery/support.js'
import { fixtures } from '../support/fixtures.js'
import { closeSession } from '../support/raw.js'
import { block } from './blocks.js'
import { documentText } from './documents.js'
import { FILE, useTempProject } from './use-temp-project.js'

const temp = useTempProject()
const { start, connect } = fixtures()
const PAGE = 'docs/processing-uploads.md'
const overHttp = (containing: string) => block('js', { in: `${PAGE}#HTTP notification`, containing })

test('onUpload: processes inventories, refuses invalid ones permanently, publishes everything else', async () => {
  const server = await temp.project.serve(block('js', { in: `${PAGE}#onUpload` }))
  await writeFile(temp.local, '{"name":"pc1"}')
  const { reply } = await temp.upload(server, 'inventory/pc1.json')
  expect(reply?.toString()).toBe('1 inventories\n')
  await expect(stat(temp.inside('uploads/inventory/pc1.json'))).rejects.toThrow('ENOENT')
  for (const refused of [Buffer.from('{'), Buffer.alloc(1024 ** 2 + 1, ' ')]) {
    await writeFile(temp.local, refused)
    const error = { status: 403, context: 'server application', fatal: true }
    await expect(temp.upload(server, 'inventory/pc2.json')).rejects.toMatchObject(error)
  }
  const inventories = await fetch(`${server.origin}/inventories`)
  expect(await inventories.json()).toEqual([{ name: 'pc1' }])

  const { replyUrl } = await temp.upload(server, 'today.zip')
  expect(replyUrl).toBeUndefined()
  expect((await stat(temp.inside('uploads/today.zip'))).size).toBe(1024 ** 2 + 1)
})

test('Checksums: prints the checksum of each file', async () => {
  const server = await temp.project.serve(block('js', { in: `${PAGE}#Checksums` }))
  await temp.upload(server, 'today.zip')
  const value = createHash('sha256').update(FILE).digest('hex')
  expect(server.stdout).toBe(`${value}  today.zip\n`)
  const [, empty] = /sha-256=:(.*):/.exec(documentText(PAGE)) ?? []
  expect(empty).toBe(createHash('sha256').digest('base64'))
})

describe('HTTP notification', () => {
  const withToken = { HANDLER_TOKEN: 'of the server' }

  test('by value: the application receives the bytes, and its reply reaches the client', async () => {
    const application = await temp.project.serve(overHttp("app.post('/handler'"), withToken)
    const HANDLER = `${application.origin}/handler`
    const server = await temp.project.serve(overHttp("type: 'by-value'"), { ...withToken, HANDLER })
    const { reply } = await temp.upload(server, 'logs/today.zip')
    expect(reply?.toString()).toBe(createHash('sha256').update(FILE).digest('hex'))
    expect(await temp.read('uploads/logs/today.zip')).toEqual(FILE)
    expect((await fetch(HANDLER, { method: 'POST' })).status).toBe(401)
  })

  test('set per request, the notification carries the user', async () => {
    const [, perRequest = ''] = /`(perRequest: .*X-Remote-User.*)`/.exec(documentText(PAGE)) ?? []
    const names: unknown[] = []
    const application = await start(
      { storage: new MemoryStorage() },
      {
        after: (app) =>
          app.post('/handler', (req, res) => {
            names.push(req.get('X-Remote-User'))
            res.end()
          }),
      },
    )
    const { text, language } = overHttp("type: 'by-value'")
    const server = await temp.project.serve({
      language,
      text: text
        .replace('const app = express()', `const url = '${application.origin}/handler'\n$&`)
        .replace("'/uploads',", "$& (req, res, next) => { req.user = 'alice'; next() },")
        .replace('bitsUpload({', `$& ${perRequest},`),
    })
    await temp.upload(server, 'today.zip')
    expect(names).toEqual(['alice'])
    await expect(stat(temp.inside('uploads/today.zip'))).rejects.toThrow('ENOENT')
  })

  test('by reference, in the same server: the application receives paths, and ignores those of other callers', async () => {
    const server = await temp.project.serve(overHttp("type: 'by-reference'"))
    const { reply } = await temp.upload(server, 'logs/today.zip')
    expect(reply?.toString()).toBe('4892 bytes\n')
    expect(await temp.read('uploads/logs/today.zip')).toEqual(FILE)
    const forged = await fetch(`${server.origin}/arrived`, {
      method: 'POST',
      headers: {
        'BITS-Request-DataFile-Name': temp.local,
        'BITS-Response-DataFile-Name': temp.inside('x'),
      },
    })
    expect(forged.status).toBe(403)
    await expect(stat(temp.inside('x'))).rejects.toThrow('ENOENT')
  })
})

test('multer: one handler processes uploads of a form and of BITS', async () => {
  const server = await temp.project.serve(block('js', { in: `${PAGE}#Multer handlers` }))
  const { reply } = await temp.upload(server, 'today.zip?ticket=7')
  const body = new FormData()
  body.append('ticket', '7')
  body.append('file', new Blob([FILE]), 'today.zip')
  const form = await fetch(`${server.origin}/form`, { method: 'POST', body })
  const expected = { name: 'today.zip', size: FILE.length, ticket: '7' }
  expect([JSON.parse(String(reply)), await form.json()]).toEqual([expected, expected])
  const refused = { status: 403, context: 'server application', fatal: true }
  await expect(temp.upload(server, 'today.exe')).rejects.toMatchObject(refused)
  expect(await readdir(temp.inside('received'))).toHaveLength(2)
})

test('replies: a client in Node gets one in memory, or in a file', async () => {
  const server = await start({
    storage: new MemoryStorage(),
    onUpload: ({ destination }) => `${destination} has been read`,
  })
  for (const name of ['pc1.json', 'pc2.json']) await writeFile(temp.inside(name), '{}')
  const { text, language } = block('js', { in: `${PAGE}#Replies` })
  const adapted = text.replaceAll('localhost:3000', `127.0.0.1:${server.port}`)
  const { stdout, stderr } = await temp.project.run({ text: adapted, language })
  expect([stdout, stderr]).toEqual(['inventory/pc1.json has been read\n', ''])
  expect((await temp.read('reply.txt')).toString()).toBe('inventory/pc2.json has been read')
})

test('replies: the documented storage keeps one, serves a range of it, and removes it with the session', async () => {
  await temp.project.write(block('ts', { containing: 'class OneFolder ' }))
  const path = await temp.project.write(block('ts', { containing: 'class OneFolderWithReplies ' }))
  const { OneFolderWithReplies }: { OneFolderWithReplies: new (folder: string) => StorageAdapter } =
    await import(path)
  const storage = new OneFolderWithReplies(temp.inside('inbox'))
  const server = await start({ storage, onUpload: () => 'it has been read' })
  const connection = await connect(server)
  const { id, ack } = await upload(connection, '/uploads/today.zip', FILE)
  const reply = replyPath('/uploads/today.zip', ack)
  expect((await ask(server, reply, { Range: 'bytes=3-5' })).body.toString()).toBe('has')
  expect(await temp.read('inbox/files/today.zip')).toEqual(FILE)
  expect((await connection.exchange(closeSession('/uploads/today.zip', id))).status).toBe(200)
  expect((await ask(server, reply)).status).toBe(404)
  expect(await readdir(temp.inside('inbox/staged'))).toEqual([])
})
