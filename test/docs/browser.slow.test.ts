import { existsSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type Browser, chromium } from 'playwright-core'
import { bundleForBrowsers } from '../../demo/browser-module.js'
import { startSite } from '../browser/site.js'
import { CHROMIUM } from '../support/browser.js'
import { describeWithEngine } from '../support/engines.js'
import { fixtures } from '../support/fixtures.js'
import { block } from './blocks.js'
import { FILE, useTempProject } from './use-temp-project.js'

const PAGE = 'docs/browser.md'

describeWithEngine(
  'docs/browser.md in Chromium',
  () => existsSync(CHROMIUM),
  () => {
    const temp = useTempProject()
    const { directory, afterwards } = fixtures()
    let browser: Browser
    let module: string
    beforeAll(async () => {
      module = await bundleForBrowsers()
      browser = await chromium.launch({
        executablePath: CHROMIUM,
        args: ['--headless', '--no-sandbox', '--disable-gpu'],
      })
    })
    afterAll(() => browser?.close())

    async function openPage(html?: string) {
      const site = await startSite({ module, directory: await directory(), ...(html && { html }) })
      afterwards(() => site.stop())
      const page = await browser.newPage()
      afterwards(() => page.close())
      await page.goto(site.origin)
      return { page, site }
    }

    test('the page uploads the chosen file', async () => {
      const { page, site } = await openPage(block('html', { in: PAGE }).text)
      await page.setInputFiles('input', temp.local)
      await page.getByText('Uploaded.').waitFor()
      expect(await page.evaluate('document.querySelector("progress").value')).toBe(1)
      expect(site.asked.at(-1)).toBe('Close-Session')
    })

    test('the server receives files from a page of another origin', async () => {
      const { page, site } = await openPage()
      const { text, language } = block('js', { in: `${PAGE}#A server on another origin` })
      const server = await temp.project.serve({
        text: text.replace('https://intranet.example.com', site.origin),
        language,
      })
      const upload = (headers: string) =>
        page.evaluate(`
        import('/browser.js').then(({ uploadFile }) =>
          uploadFile(document.querySelector('input').files[0], '${server.origin}/uploads/a.bin', {
            headers: ${headers}, retries: 0,
          })).then(({ bytes }) => bytes, ({ message }) => message)`)
      await page.setInputFiles('input', temp.local)
      expect(await upload("{ Authorization: 'Bearer t' }")).toBe(FILE.length)
      expect(await temp.read('uploads/a.bin')).toEqual(FILE)
      expect(await upload("{ 'X-Other': 'y' }")).toMatch(/does it allow this page \(CORS\)\?$/)
    })
  },
)
