import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from '@jest/globals'
import { BitsError } from 'express-bits-upload'
import { UploadJob, uploadFile } from 'express-bits-upload/client'
import { CuttingProxy } from '../support/cutting-proxy.js'
import { stagedFiles } from '../support/files.js'
import { fixtures } from '../support/fixtures.js'
import { clientError, contentOf, FAST, KB, withFile } from '../support/upload-fixture.js'

const { start, startTls, directory, afterwards } = fixtures()

describe('the client and the middleware', () => {
  test.each([0, 1, 5120, 5121, 300 * KB])('transfer a file of %d bytes', async (size) => {
    const folder = await directory()
    const { origin } = await start({ directory: folder })
    await withFile(size, async ({ path, content }) => {
      const result = await uploadFile(path, `${origin}/uploads/a.bin`, { fragmentSize: 5120 })
      expect(result.bytes).toBe(size)
      expect((await readFile(join(folder, 'a.bin'))).equals(content)).toBe(true)
      expect(await stagedFiles(folder)).toEqual([])
    })
  })

  test('transfer the largest fragment that Windows sends', async () => {
    const folder = await directory()
    const { origin } = await start({ directory: folder })
    const fragmentSize = 13 * 1024 * KB
    await withFile(fragmentSize + 7, async ({ path, content }) => {
      await uploadFile(path, `${origin}/uploads/a.bin`, { fragmentSize })
      expect((await readFile(join(folder, 'a.bin'))).equals(content)).toBe(true)
    })
  })

  test('tolerate connections that break anywhere', async () => {
    const folder = await directory()
    const { port } = await start({ directory: folder })
    // In the middle of heads, in the middle of bodies, and exactly at their ends.
    const limits = [1, 100, 400, 5_500, 6_000, 30_000, 30_001, 77_777, 100_000, 150]
    const proxy = await CuttingProxy.start(port, limits)
    afterwards(() => proxy.stop())
    await withFile(400 * KB, async ({ path, content }) => {
      await uploadFile(path, `http://127.0.0.1:${proxy.port}/uploads/a.bin`, {
        ...FAST,
        fragmentSize: 50 * KB,
      })
      expect(proxy.cuts).toBe(limits.length)
      expect((await readFile(join(folder, 'a.bin'))).equals(content)).toBe(true)
    })
  })

  test('tolerate a restart of the server', async () => {
    const folder = await directory()
    const first = await start({ directory: folder })
    await withFile(100 * KB, async ({ path, content }) => {
      let stopped: Promise<void> | undefined
      const result = await uploadFile(path, `${first.origin}/uploads/a.bin`, {
        minRetryDelay: 50,
        maxRetryDelay: 200,
        retries: 50,
        fragmentSize: 10 * KB,
        onState: ({ offset }) => {
          if (offset < 50 * KB || stopped) return
          stopped = first.stop().then(async () => {
            await start({ directory: folder }, { port: first.port })
          })
        },
      })
      await stopped
      expect(result.bytes).toBe(100 * KB)
      expect((await readFile(join(folder, 'a.bin'))).equals(content)).toBe(true)
    })
  })

  test('start over if the server has lost the session', async () => {
    const folder = await directory()
    const first = await start({ directory: folder })
    const another = await directory()
    await withFile(50 * KB, async ({ path, content }) => {
      const job = new UploadJob(path, `${first.origin}/uploads/a.bin`, {
        ...FAST,
        fragmentSize: 10 * KB,
        retries: 0,
        onState: ({ offset }) => {
          if (offset !== 20 * KB) return
          // Otherwise a client that notices the closed connection early would simply connect again.
          first.server.close()
          first.server.closeAllConnections()
        },
      })
      await expect(job.run()).rejects.toThrow(/No response/)
      await first.stop()
      await start({ directory: another }, { port: first.port })
      await job.run()
      expect((await readFile(join(another, 'a.bin'))).equals(content)).toBe(true)
    })
  })

  test('leave nothing behind after an abort', async () => {
    const folder = await directory()
    const { origin } = await start({ directory: folder })
    await withFile(50 * KB, async ({ path }) => {
      const controller = new AbortController()
      const run = uploadFile(path, `${origin}/uploads/a.bin`, {
        fragmentSize: 10 * KB,
        signal: controller.signal,
        onProgress: ({ acknowledged }) => acknowledged >= 20 * KB && controller.abort('stop'),
      })
      await expect(run).rejects.toBe('stop')
      expect(await stagedFiles(folder)).toEqual([])
      await expect(readFile(join(folder, 'a.bin'))).rejects.toThrow(/ENOENT/)
    })
  })

  test('agree on smaller fragments', async () => {
    const folder = await directory()
    const { origin } = await start({ directory: folder, maxFragmentSize: 6000 })
    await withFile(50 * KB, async ({ path, content }) => {
      const refused: (number | undefined)[] = []
      const onFailure = ({ error }: { error: { status: number | undefined } }) => refused.push(error.status)
      await uploadFile(path, `${origin}/uploads/a.bin`, { fragmentSize: 40 * KB, onFailure })
      expect(refused).toEqual([413, 413, 413])
      expect((await readFile(join(folder, 'a.bin'))).equals(content)).toBe(true)
    })
  })

  test('return a reply, in memory or in a file', async () => {
    const reply = contentOf(1500 * KB)
    const { origin } = await start({ directory: await directory(), onUpload: () => reply })
    await withFile(10, async ({ path, directory: own }) => {
      const url = `${origin}/uploads/a/b.bin`
      const kept = await uploadFile(path, url, { maxReplySize: reply.length })
      expect(kept.reply?.equals(reply)).toBe(true)
      const replyTo = join(own, 'reply.bin')
      await uploadFile(path, url.replace('b.bin', 'c.bin'), { replyTo })
      expect((await readFile(replyTo)).equals(reply)).toBe(true)
    })
  })

  test('agree on errors', async () => {
    const { origin } = await start({
      directory: await directory(),
      maxUploadSize: 1000,
      authorize: (req) => {
        if (req.headers.authorization) return true
        throw new BitsError({ status: 401, headers: { 'WWW-Authenticate': 'Basic' } }, 'Who?')
      },
    })
    const url = `${origin}/uploads/a.bin`
    const known = url.replace('//', '//me:secret@')
    await withFile(1001, async ({ path }) => {
      expect(await clientError(uploadFile(path, url))).toMatchObject({ status: 401, fatal: true })
      expect(await clientError(uploadFile(path, known))).toMatchObject({
        status: 500,
        hresultName: 'BG_E_TOO_LARGE',
        context: 'server',
        packet: 'Fragment',
        fatal: true,
      })
    })
    await withFile(10, async ({ path }) => {
      await uploadFile(path, known)
      expect(await clientError(uploadFile(path, known))).toMatchObject({
        packet: 'Create-Session',
        fatal: true,
        message: expect.stringMatching(/A file of this name (?:exists|may exist already), /),
      })
      expect(await clientError(uploadFile(path, known.replace('a.bin', '..%2fa.bin')))).toMatchObject({
        status: 403,
        hresultName: 'E_ACCESSDENIED',
        fatal: true,
      })
    })
  })

  test('use TLS; a certificate from an unknown authority is fatal', async () => {
    const folder = await directory()
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
    const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']
    await promisify(execFile)('openssl', ['req', '-x509', ...curve, ...names, '-keyout', key, '-out', cert])
    const ca = await readFile(cert)

    const port = await startTls({ key: await readFile(key), cert: ca }, join(folder, 'in'))
    await withFile(100 * KB, async ({ path, content }) => {
      const url = `https://127.0.0.1:${port}/uploads/a.bin`
      const error = await clientError(uploadFile(path, url))
      expect(error.fatal).toBe(true)
      expect(error.message).toMatch(/self.signed certificate/)
      await uploadFile(path, url, { tls: { ca } })
      expect((await readFile(join(folder, 'in', 'a.bin'))).equals(content)).toBe(true)
    })
  })
})
