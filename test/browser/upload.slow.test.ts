import { existsSync } from 'node:fs'
import { appendFile, readdir, readFile, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import type { Request, RequestHandler } from 'express'
import { BitsError } from 'express-bits-upload'
import { type Browser, chromium, type Page } from 'playwright-core'
import { bundleForBrowsers } from '../../demo/browser-module.js'
import { CHROMIUM } from '../support/browser.js'
import { CuttingProxy } from '../support/cutting-proxy.js'
import { describeWithEngine } from '../support/engines.js'
import { fixtures } from '../support/fixtures.js'
import { contentOf, KB } from '../support/upload-fixture.js'
import { type SiteOptions, startSite } from './site.js'

const FLAGS = '--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking'
const CONTENT = contentOf(1000 * KB)

/** The result of `uploadFile()` in the page, or the properties of the error. */
interface Outcome {
  readonly result?: { sessionId: string; bytes: number; replyUrl?: string; reply?: string }
  readonly error?: { name: string; message: string; status?: number; fatal?: boolean; packet?: string }
  readonly progress: readonly number[]
  readonly failures: number
}

describeWithEngine(
  'uploads from Chromium',
  () => existsSync(CHROMIUM),
  () => {
    const { directory, afterwards } = fixtures()
    let browser: Browser
    let module: string
    beforeAll(async () => {
      module = await bundleForBrowsers()
      browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS.split(' ') })
    })
    afterAll(() => browser?.close())
    afterEach(() => Promise.all(browser.contexts().map((context) => context.close())))

    async function start(options: Partial<SiteOptions> = {}) {
      const site = await startSite({ module, directory: await directory(), ...options })
      afterwards(() => site.stop())
      return site
    }

    /** A page of this origin with a chosen file. */
    async function openPage(origin: string, file?: string): Promise<Page> {
      const page = await (await browser.newContext()).newPage()
      await page.goto(origin)
      if (file !== undefined) await page.setInputFiles('input', file)
      return page
    }

    async function fileWith(content: Buffer, name = 'a file.bin'): Promise<string> {
      const path = join(await directory(), name)
      await writeFile(path, content)
      return path
    }

    /** Uploads the chosen file; `options` is source text. The page keeps `controller`, which aborts it. */
    const upload = (page: Page, url: string, options = '{}'): Promise<Outcome> =>
      page.evaluate(
        `(async () => {
        const { uploadFile } = await import('/browser.js')
        const progress = []
        let failures = 0
        globalThis.controller = new AbortController()
        const options = {
          fragmentSize: 100 * 1024, minRetryDelay: 5, maxRetryDelay: 50, signal: controller.signal,
          onProgress: ({ acknowledged }) => {
            progress.push(acknowledged)
            globalThis.acknowledged = acknowledged
          },
          onFailure: () => { failures += 1 },
          ...${options},
        }
        const file = options.file ?? document.querySelector('input').files[0]
        delete options.file
        try {
          const result = await uploadFile(file, ${JSON.stringify(url)}, options)
          return { result: { ...result, reply: await result.reply?.text() }, progress, failures }
        } catch (error) {
          const { name, message, status, fatal, packet } = error
          return { error: { name, message, status, fatal, packet }, progress, failures }
        }
      })()`,
      )

    /** Refuses fragments with 503 once this many bytes have arrived, until it is opened. */
    function gate(bytes: number) {
      let received = 0
      let isOpen = false
      return {
        see: (count: number) => {
          received = count
        },
        open: () => {
          isOpen = true
        },
        authorize: (req: Request) => {
          if (isOpen || received < bytes || req.get('bits-packet-type') !== 'Fragment') return true
          throw new BitsError({ status: 503 }, 'Later.')
        },
      }
    }

    test('a file arrives, with progress and the reply, and leaves no state behind', async () => {
      const folder = await directory()
      const site = await start({ directory: folder, onUpload: ({ size }) => `${size} bytes, thank you` })
      const page = await openPage(site.origin, await fileWith(CONTENT))
      const { result, progress, failures } = await upload(page, '/uploads/in/a.bin')
      expect(result).toMatchObject({ bytes: CONTENT.length, reply: `${CONTENT.length} bytes, thank you` })
      expect(progress).toEqual([0, ...Array.from({ length: 10 }, (_, index) => (index + 1) * 100 * KB)])
      expect(failures).toBe(0)
      expect((await readFile(join(folder, 'in/a.bin'))).equals(CONTENT)).toBe(true)
      expect(await page.evaluate('localStorage.length')).toBe(0)
      expect(site.asked.filter((packet) => packet === 'OPTIONS')).toEqual([])
    })

    test('an empty file arrives, and so does a Blob', async () => {
      const folder = await directory()
      const site = await start({ directory: folder })
      const page = await openPage(site.origin, await fileWith(Buffer.alloc(0)))
      expect((await upload(page, '/uploads/empty')).result).toMatchObject({ bytes: 0 })
      const blob = "{ file: new Blob(['a page wrote this']) }"
      expect((await upload(page, '/uploads/blob', blob)).result).toMatchObject({ bytes: 17 })
      expect(await readFile(join(folder, 'empty'))).toHaveLength(0)
      expect(await readFile(join(folder, 'blob'), 'utf8')).toBe('a page wrote this')
      expect(await page.evaluate('localStorage.length')).toBe(0)
    })

    test('connections that break repeatedly lose no byte', async () => {
      const folder = await directory()
      const site = await start({ directory: folder })
      const proxy = await CuttingProxy.start(site.port, Array(4).fill(60 * KB))
      afterwards(() => proxy.stop())
      const page = await openPage(`http://127.0.0.1:${proxy.port}`, await fileWith(CONTENT))
      // Chromium itself repeats a request once when a kept-alive connection breaks.
      const { result, failures } = await upload(page, '/uploads/a.bin')
      expect(result).toMatchObject({ bytes: CONTENT.length })
      expect(proxy.cuts).toBeGreaterThan(0)
      expect(failures).toBeGreaterThan(0)
      expect((await readFile(join(folder, 'a.bin'))).equals(CONTENT)).toBe(true)
    })

    test('the client waits for a server that restarts, and the session continues', async () => {
      const folder = await directory()
      const { see, authorize } = gate(300 * KB)
      const site = await start({ directory: folder, authorize })
      site.bits.on('progress', ({ received }) => see(received))
      const page = await openPage(site.origin, await fileWith(CONTENT))
      const uploading = upload(page, '/uploads/a.bin', '{ retries: Infinity }')
      await page.waitForFunction(`globalThis.acknowledged >= ${300 * KB}`)
      await site.stop()
      const again = await startSite({ module, directory: folder, port: site.port })
      afterwards(() => again.stop())
      expect((await uploading).result).toMatchObject({ bytes: CONTENT.length })
      expect((await readFile(join(folder, 'a.bin'))).equals(CONTENT)).toBe(true)
      expect(again.asked).not.toContain('Create-Session')
      expect(again.asked.filter((packet) => packet.startsWith('Fragment'))[0]).toMatch(
        /^Fragment bytes 307200-/,
      )
    })

    test('after a reload it continues once the same file is chosen again, and not with another one', async () => {
      const folder = await directory()
      const { see, open, authorize } = gate(300 * KB)
      const site = await start({ directory: folder, authorize })
      site.bits.on('progress', ({ received }) => see(received))
      const file = await fileWith(CONTENT)
      const page = await openPage(site.origin, file)
      const interrupted = upload(page, '/uploads/a.bin', '{ retries: Infinity }').catch(() => undefined)
      await page.waitForFunction(`globalThis.acknowledged >= ${300 * KB}`)
      await page.reload()
      await interrupted
      open()
      const before = site.asked.length
      await page.setInputFiles('input', file)
      expect((await upload(page, '/uploads/a.bin')).result).toMatchObject({ bytes: CONTENT.length })
      expect(site.asked.slice(before, before + 2)).toEqual(['Ping', 'Fragment bytes 307200-409599/1024000'])
      expect((await readFile(join(folder, 'a.bin'))).equals(CONTENT)).toBe(true)
      expect(await page.evaluate('localStorage.length')).toBe(0)
    })

    test.each<[string, (file: string) => Promise<string>]>([
      ['has another date', async (file) => utimes(file, 1, 1).then(() => file)],
      ['has another size', async (file) => appendFile(file, 'x').then(() => file)],
      ['has another name', async () => fileWith(CONTENT, 'other.bin')],
    ])('a file that %s starts over', async (_, change) => {
      const { see, open, authorize } = gate(300 * KB)
      const site = await start({ overwrite: true, authorize })
      site.bits.on('progress', ({ received }) => see(received))
      const file = await fileWith(CONTENT)
      const page = await openPage(site.origin, file)
      expect((await upload(page, '/uploads/a.bin', '{ retries: 0 }')).error).toMatchObject({
        status: 503,
        fatal: false,
      })
      expect(await page.evaluate('localStorage.length')).toBe(1)
      open()
      const before = site.asked.length
      await page.setInputFiles('input', await change(file))
      expect((await upload(page, '/uploads/a.bin')).result).toBeDefined()
      expect(site.asked[before]).toBe('Create-Session')
    })

    test('an abort cancels the session; with cancelOnAbort: false it is a pause', async () => {
      const { see, open, authorize } = gate(300 * KB)
      const site = await start({ authorize })
      const cancelled: string[] = []
      site.bits.on('progress', ({ received }) => see(received))
      site.bits.on('cancelled', ({ uploadId }) => cancelled.push(uploadId))
      const page = await openPage(site.origin, await fileWith(CONTENT))
      const paused = upload(page, '/uploads/a.bin', '{ retries: Infinity, cancelOnAbort: false }')
      await page.waitForFunction(`globalThis.acknowledged >= ${300 * KB}`)
      await page.evaluate('controller.abort()')
      expect((await paused).error).toMatchObject({ name: 'AbortError' })
      expect(cancelled).toEqual([])
      const stopped = upload(
        page,
        '/uploads/a.bin',
        '{ retries: Infinity, onFailure: () => controller.abort() }',
      )
      expect((await stopped).error).toMatchObject({ name: 'AbortError' })
      expect(site.asked.at(-1)).toBe('Cancel-Session')
      open()
      expect(cancelled).toHaveLength(1)
      expect(await page.evaluate('localStorage.length')).toBe(0)
    })

    test('a refusal has the same fields as in the Node client, and invalid options are refused', async () => {
      const folder = await directory()
      await writeFile(join(folder, 'there'), 'older')
      const site = await start({ directory: folder })
      const page = await openPage(site.origin, await fileWith(CONTENT))
      const { error } = await upload(page, '/uploads/there')
      expect(error).toEqual({
        name: 'BitsClientError',
        message: 'The server answered Create-Session with 403, 0x80070005 (E_ACCESSDENIED).',
        status: 403,
        fatal: true,
        packet: 'Create-Session',
      })
      for (const [options, message] of [
        ['{ fragmentSize: 1 }', 'fragmentSize is 1: use 5120 to 13631488 bytes.'],
        ['{ file: "x.txt".valueOf && {} }', 'Pass a File or a Blob.'],
      ] as const) {
        expect((await upload(page, '/uploads/x', options)).error).toMatchObject({
          name: 'TypeError',
          message,
        })
      }
      const secret = await upload(page, `${site.origin.replace('//', '//u:p@')}/uploads/x`)
      expect(secret.error?.message).toBe('Pass credentials in headers, not in the URL.')
    })

    test('a file that changes while it is uploaded is a fatal error', async () => {
      const { see, open, authorize } = gate(300 * KB)
      const folder = await directory()
      const site = await start({ directory: folder, authorize })
      site.bits.on('progress', ({ received }) => see(received))
      const file = await fileWith(CONTENT)
      const page = await openPage(site.origin, file)
      const uploading = upload(page, '/uploads/a.bin', '{ retries: Infinity }')
      await page.waitForFunction(`globalThis.acknowledged >= ${300 * KB}`)
      await writeFile(file, contentOf(2000 * KB))
      await utimes(file, 1, 1)
      open()
      expect((await uploading).error).toMatchObject({
        fatal: true,
        message: 'The file cannot be read, or has changed.',
      })
      expect(await readdir(folder)).toEqual(['BITS-Sessions'])
    })

    const EXPOSED =
      'BITS-Packet-Type, BITS-Protocol, BITS-Session-Id, BITS-Received-Content-Range, BITS-Reply-URL, BITS-Host-Id, ' +
      'BITS-Host-Id-Fallback-Timeout, BITS-Error-Code, BITS-Error, BITS-Error-Context'
    const ALLOWED =
      'BITS-Packet-Type, BITS-Supported-Protocols, BITS-Session-Id, Content-Range, Authorization'

    /** The headers that docs/browser.md tells a server on another origin to send. */
    const cors =
      (exposed: string): RequestHandler =>
      (req, res, next) => {
        res.set('Access-Control-Allow-Origin', req.get('origin') ?? '*')
        res.set('Access-Control-Expose-Headers', exposed)
        if (req.method !== 'OPTIONS') return next()
        res.set('Access-Control-Allow-Methods', 'BITS_POST')
        res.set('Access-Control-Allow-Headers', ALLOWED)
        res.status(204).end()
      }

    test('a server on another origin that allows it receives the file, after a preflight', async () => {
      const folder = await directory()
      const page = await openPage((await start()).origin, await fileWith(CONTENT))
      const users: (string | undefined)[] = []
      const other = await start({
        directory: folder,
        before: cors(EXPOSED),
        user: (req) => void users.push(req.get('authorization')),
        onUpload: () => 'from afar',
      })
      const options = "{ headers: { Authorization: 'Bearer t' } }"
      const { result } = await upload(page, `${other.origin}/uploads/a.bin`, options)
      expect(result).toMatchObject({ bytes: CONTENT.length, reply: 'from afar' })
      expect(other.asked[0]).toBe('OPTIONS')
      expect(new Set(users)).toEqual(new Set(['Bearer t']))
      expect((await readFile(join(folder, 'a.bin'))).equals(CONTENT)).toBe(true)
    })

    test('a server on another origin that does not allow it is named as the likely reason', async () => {
      const page = await openPage((await start()).origin, await fileWith(CONTENT))
      const closed = await start()
      const mute = await start({ before: cors('') })
      const refused = await upload(page, `${closed.origin}/uploads/a`, '{ retries: 0 }')
      expect(refused.error?.message).toMatch(
        /^No response to Create-Session from .* does it allow this page \(CORS\)\?$/,
      )
      const unreadable = await upload(page, `${mute.origin}/uploads/a`)
      expect(unreadable.error).toMatchObject({ fatal: true })
      expect(unreadable.error?.message).toMatch(/Access-Control-Expose-Headers lacks it\.$/)
    })
  },
)
