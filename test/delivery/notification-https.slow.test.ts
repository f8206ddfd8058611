import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from '@jest/globals'
import { MemoryStorage } from 'express-bits-upload'
import { bundleScript } from '../support/bundle-script.js'
import { expectAck } from '../support/expect-ack.js'
import { fixtures } from '../support/fixtures.js'
import { contentOf } from '../support/upload-fixture.js'
import { upload } from './support.js'

const { start, connect, directory, afterwards } = fixtures()

const run = promisify(execFile)
const CHILD = new URL('../fixtures/https-notification.ts', import.meta.url)

/** A self-signed certificate for this name. @returns paths of key and certificate. */
async function certificate(name: string): Promise<{ key: string; cert: string }> {
  const root = await directory()
  const [key, cert] = [join(root, 'key.pem'), join(root, 'cert.pem')]
  const subject = ['-subj', '/CN=application', '-addext', `subjectAltName=${name}`]
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  await run('openssl', ['req', ...kind, '-keyout', key, '-out', cert, ...subject])
  return { key, cert }
}

/** @returns the output of the child process, which trusts `cert`. */
async function inChild(mode: string, paths: { key: string; cert: string }): Promise<unknown> {
  const script = join(await directory(), 'child.mjs')
  await writeFile(script, await bundleScript(CHILD, 'esm'))
  const { stdout } = await run(process.execPath, [script, mode, paths.key, paths.cert], {
    env: { ...process.env, NODE_EXTRA_CA_CERTS: paths.cert },
  })
  return JSON.parse(stdout)
}

const SEEN = { status: 200, posts: ['POST /app/handler.asp 5'], published: true, warnings: [] }

test.each([
  ['a name', 'DNS:localhost'],
  ['an address', 'IP:127.0.0.1'],
])('an application behind HTTPS is notified, at %s of its certificate', async (_name, subject) => {
  expect(await inChild(subject, await certificate(subject))).toEqual(SEEN)
})

test('a relative URL is requested from this server over HTTPS if the upload came over HTTPS', async () => {
  expect(await inChild('relative', await certificate('DNS:localhost'))).toEqual(SEEN)
})

test('an untrusted certificate is a failure, and the application receives nothing', async () => {
  const paths = await certificate('IP:127.0.0.1')
  const posts: string[] = []
  const application = createServer(
    { key: await readFile(paths.key), cert: await readFile(paths.cert) },
    (req, res) => {
      posts.push(req.url ?? '')
      res.end()
    },
  )
  application.listen(0, '127.0.0.1')
  await once(application, 'listening')
  afterwards(() => application.close())
  const { port } = application.address() as AddressInfo
  const storage = new MemoryStorage()
  const notification = { type: 'by-value', url: `https://127.0.0.1:${port}/` } as const
  const running = await start({ storage, notification })
  const file = contentOf(5)
  const { id, ack } = await upload(await connect(running), '/uploads/file.bin', file)
  expectAck(ack, { status: 500, error: '0x80072EFD', context: '0x7', session: id, offset: 5 })
  expect(posts).toEqual([])
  expect(storage.files.size).toBe(0)
})

test('a certificate for another name is a failure', async () => {
  const seen = await inChild('IP:127.0.0.1', await certificate('DNS:another.example.com'))
  expect(seen).toEqual({ status: 500, posts: [], published: false, warnings: [] })
})
