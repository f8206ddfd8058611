import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { type CuttableConnection, openLine } from '../../demo/cut-connection.js'
import { startServer } from '../../demo/server.js'
import { accessibilityViolations } from '../support/axe.js'
import { CHROMIUM, useBrowser } from '../support/browser.js'
import { describeWithEngine } from '../support/engines.js'
import { contentOf } from '../support/upload-fixture.js'
import { type RunningDemo, startDemo } from './support.js'

jest.setTimeout(180_000)

const CONTENT = contentOf(5_000_000)
/** Bytes in a second: an upload takes 20 seconds, so that a busy machine sees it too. */
const SLOWLY = 250_000
/** If set, pictures of the page are written to that directory. */
const SCREENSHOTS = process.env.PAGE_SCREENSHOTS

describeWithEngine('Chromium', () => existsSync(CHROMIUM), suite)

function suite(): void {
  const { newPage, complaints } = useBrowser()
  let demo: RunningDemo
  let line: CuttableConnection
  let source: string
  const sessions: string[] = []

  beforeEach(async () => {
    sessions.splice(0)
    demo = await startDemo()
    demo.bits.on('session', ({ destination }) => sessions.push(destination))
    line = await openLine({ host: '127.0.0.1', port: demo.port }, SLOWLY)
    source = await demo.write('a b.bin', CONTENT)
  })
  afterEach(async () => {
    await line.close()
    await demo.stop()
  })

  async function openPage(options: BrowserContextOptions = {}): Promise<Page> {
    const page = await newPage(options)
    await page.goto(`http://127.0.0.1:${line.port}`)
    await page.getByText('Live', { exact: true }).waitFor()
    return page
  }

  const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true })
  const status = (page: Page, text: string | RegExp) => page.getByRole('status').getByText(text)

  /** Chooses a file, uploads it, and waits until part of it has arrived. */
  async function begin(page: Page, file = source): Promise<void> {
    line.bytesPerSecond = SLOWLY
    await page.getByLabel('File', { exact: true }).setInputFiles(file)
    await button(page, 'Upload').click()
    await page
      .locator('#upload-bar')
      .getByText(/^[1-9]\d*%$/)
      .waitFor()
  }

  async function expectArrival(page: Page): Promise<void> {
    line.bytesPerSecond = Infinity
    await status(page, 'a b.bin has arrived: 4.8 MiB.').waitFor()
    expect((await readFile(join(demo.directory, 'a b.bin'))).equals(CONTENT)).toBe(true)
    expect(sessions).toEqual(['a b.bin'])
    expect(await page.evaluate('localStorage.length')).toBe(0)
  }

  test('an upload is paused and resumed with the keyboard, and everybody sees it', async () => {
    const page = await openPage()
    const other = await newPage()
    await other.goto(demo.origin)
    await begin(page)
    await other.getByRole('progressbar', { name: 'Received of a b.bin' }).waitFor()
    await button(page, 'Pause').focus()
    await page.keyboard.press('Enter')
    await status(page, /^Paused at [1-9]\d*%\.$/).waitFor()
    expect(await demo.bits.sessions()).toHaveLength(1)
    // The button keeps the focus.
    await page.keyboard.press('Enter')
    await expectArrival(page)
    expect(await button(page, 'Upload').isVisible()).toBe(true)
    await other
      .getByRole('region', { name: 'Files', exact: true })
      .getByRole('link', { name: 'a b.bin' })
      .waitFor()
    expect(complaints).toEqual([])
  })

  test('an upload continues after a reload, once the same file is chosen again', async () => {
    const page = await openPage()
    await begin(page)
    await page.reload()
    await status(page, /^a b\.bin is uploaded to \d+%\. Choose the same file again to continue\.$/).waitFor()
    const other = await demo.write('other.bin', 'other')
    await page.getByLabel('File', { exact: true }).setInputFiles(other)
    expect(await button(page, 'Upload').isVisible()).toBe(true)
    await page.getByLabel('File', { exact: true }).setInputFiles(source)
    await button(page, 'Resume').click()
    await expectArrival(page)
  })

  test('a connection that breaks and a server that restarts cost no byte', async () => {
    const page = await openPage()
    await begin(page)
    line.cut()
    await demo.server.stop()
    await status(page, /^The connection is lost\. Trying again in \d+\.\d s\.$/).waitFor()
    const { port, directory } = demo
    const again = await startServer({ directory, port, host: '127.0.0.1' })
    again.bits.on('session', ({ destination }) => sessions.push(destination))
    try {
      await expectArrival(page)
    } finally {
      await again.stop()
    }
  })

  test('a cancelled upload leaves nothing on the server', async () => {
    const page = await openPage()
    await begin(page)
    await button(page, 'Cancel').click()
    await status(page, 'Cancelled.').waitFor()
    expect(await demo.bits.sessions()).toEqual([])
    expect(await page.evaluate('localStorage.length')).toBe(0)
    expect(await button(page, 'Cancel').isVisible()).toBe(false)
    // The focus is not lost when the button disappears.
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Upload')
    // Even while it is paused.
    await begin(page)
    await button(page, 'Pause').click()
    await button(page, 'Resume').waitFor()
    await button(page, 'Cancel').click()
    await status(page, 'Cancelled.').waitFor()
    expect(await demo.bits.sessions()).toEqual([])
  })

  test('refusals are explained', async () => {
    const page = await openPage()
    await writeFile(join(demo.directory, 'a b.bin'), 'older')
    await page.getByLabel('File', { exact: true }).setInputFiles(source)
    await button(page, 'Upload').click()
    await status(
      page,
      'The server does not accept a b.bin: it may have a file of that name already.',
    ).waitFor()
    await page
      .getByLabel('File', { exact: true })
      .setInputFiles(await demo.write('broken.xml', '<a>\n<b></a>'))
    await button(page, 'Upload').click()
    await status(page, 'The server could not read broken.xml: see its reply.').waitFor()
    await page.getByText('line 2, column 7: unexpected close tag').waitFor()
    await page.getByLabel('File', { exact: true }).setInputFiles(await demo.write('right.xml', '<a/>'))
    await button(page, 'Upload').click()
    await status(page, 'right.xml has arrived: 4 bytes.').waitFor()
  })

  test('without scripts, the form uploads the file', async () => {
    const page = await newPage({ javaScriptEnabled: false })
    await page.goto(demo.origin)
    await page.getByLabel('File, up to 100 MiB').setInputFiles(source)
    await button(page, 'Upload').click()
    await page.waitForURL(`${demo.origin}/`)
    expect((await readFile(join(demo.directory, 'a b.bin'))).equals(CONTENT)).toBe(true)
    expect(sessions).toEqual([])
  })

  test.each(['light', 'dark'] as const)(
    'an upload on a narrow page that is %s is accessible',
    async (colorScheme) => {
      const page = await openPage({ colorScheme, viewport: { width: 380, height: 800 } })
      const long = await demo.write(`${'long-name-without-a-blank'.repeat(5)}.bin`, CONTENT)
      await begin(page, long)
      await button(page, 'Pause').click()
      await button(page, 'Resume').waitFor()
      if (SCREENSHOTS) {
        const path = join(SCREENSHOTS, `demo-upload-${colorScheme}.png`)
        await page.screenshot({ path, fullPage: true })
      }
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(380)
      expect(await accessibilityViolations(page)).toEqual([])
      expect(await page.getByRole('progressbar', { name: 'Uploaded of long' }).count()).toBe(1)
    },
  )
}
