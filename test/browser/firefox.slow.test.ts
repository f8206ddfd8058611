import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { BitsError } from 'express-bits-upload'
import { bundleForBrowsers } from '../../demo/browser-module.js'
import { CuttingProxy } from '../support/cutting-proxy.js'
import { describeWithEngine } from '../support/engines.js'
import { fixtures } from '../support/fixtures.js'
import { contentOf, KB } from '../support/upload-fixture.js'
import { Firefox } from './firefox.js'
import { startSite } from './site.js'

const PROGRAM = '/usr/bin/firefox-esr'
const CONTENT = contentOf(1000 * KB)

/** Uploads the chosen file. Returns the number of bytes, or the message of the error, as text. */
const upload = (options: string): string => `
  import('/browser.js')
    .then(({ uploadFile }) => uploadFile(document.querySelector('input').files[0], '/uploads/a.bin', {
      fragmentSize: 100 * 1024, minRetryDelay: 5, maxRetryDelay: 50, ...${options},
    }))
    .then(({ bytes }) => String(bytes), ({ message }) => message)`

describeWithEngine(
  'uploads from Firefox',
  () => existsSync(PROGRAM),
  () => {
    const { directory, afterwards } = fixtures()
    let firefox: Firefox
    let module: string
    beforeAll(async () => {
      module = await bundleForBrowsers()
      firefox = await Firefox.start(PROGRAM)
    })
    afterAll(() => firefox?.stop())

    test('arrive, over connections that break', async () => {
      const folder = await directory()
      const site = await startSite({ module, directory: folder })
      const proxy = await CuttingProxy.start(site.port, Array(4).fill(60 * KB))
      afterwards(() => Promise.all([site.stop(), proxy.stop()]))
      const file = join(await directory(), 'a file.bin')
      await writeFile(file, CONTENT)
      await firefox.open(`http://127.0.0.1:${proxy.port}/`)
      await firefox.chooseFile(file)
      expect(await firefox.evaluate(upload('{}'))).toBe(String(CONTENT.length))
      expect(proxy.cuts).toBeGreaterThan(0)
      expect((await readFile(join(folder, 'a.bin'))).equals(CONTENT)).toBe(true)
    })

    test('continue after a reload, once the same file is chosen again', async () => {
      const folder = await directory()
      let isOpen = false
      let received = 0
      const site = await startSite({
        module,
        directory: folder,
        authorize: (req) => {
          if (isOpen || received < 300 * KB || req.get('bits-packet-type') !== 'Fragment') return true
          throw new BitsError({ status: 503 }, 'Later.')
        },
      })
      site.bits.on('progress', (session) => {
        received = session.received
      })
      afterwards(() => site.stop())
      const file = join(await directory(), 'a file.bin')
      await writeFile(file, CONTENT)
      await firefox.open(`${site.origin}/`)
      await firefox.chooseFile(file)
      expect(await firefox.evaluate(upload('{ retries: 0 }'))).toContain('503')
      await firefox.reload()
      isOpen = true
      const before = site.asked.length
      await firefox.chooseFile(file)
      expect(await firefox.evaluate(upload('{}'))).toBe(String(CONTENT.length))
      expect(site.asked.slice(before, before + 2)).toEqual(['Ping', 'Fragment bytes 307200-409599/1024000'])
      expect((await readFile(join(folder, 'a.bin'))).equals(CONTENT)).toBe(true)
    })
  },
)
