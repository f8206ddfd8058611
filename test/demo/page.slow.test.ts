import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { uploadFile } from 'express-bits-upload/client'
import helmet from 'helmet'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { type CuttableConnection, openLine } from '../../demo/cut-connection.js'
import { startServer } from '../../demo/server.js'
import { CHROMIUM, useBrowser } from '../support/browser.js'
import { describeWithEngine } from '../support/engines.js'
import { type RunningDemo, startDemo } from './support.js'

describeWithEngine('Chromium', () => existsSync(CHROMIUM), suite)

function suite(): void {
  const { newPage, complaints } = useBrowser()
  let demo: RunningDemo
  let line: CuttableConnection

  beforeEach(async () => {
    demo = await startDemo({ users: { ada: 'secret', '<i>eve</i>': 'secret' } })
    line = await openLine({ host: '127.0.0.1', port: demo.port }, 400_000)
  })
  afterEach(async () => {
    await line.close()
    await demo.stop()
  })

  async function openPage(options: BrowserContextOptions = {}): Promise<Page> {
    const page = await newPage(options)
    await page.goto(demo.origin)
    await page.getByText('Live', { exact: true }).waitFor()
    return page
  }

  /** An upload of 4 MB, which takes ten seconds unless the line gets faster. */
  async function upload(name: string): Promise<void> {
    const source = await demo.write('source', Buffer.alloc(4_000_000))
    const url = `http://ada:secret@127.0.0.1:${line.port}/uploads/${name}`
    await uploadFile(source, url, { fragmentSize: 200_000, minRetryDelay: 200 })
  }

  async function uploadAtOnce(name: string, content: string, user = 'ada'): Promise<void> {
    const source = await demo.write('source', content)
    await uploadFile(source, `http://${user}:secret@127.0.0.1:${demo.port}/uploads/${name}`, { retries: 0 })
  }

  test('the bar moves while a file arrives, and the file appears in the list', async () => {
    const page = await openPage()
    await page.getByText('None at the moment. Start an upload').waitFor()
    await page.getByText('No file has arrived yet.').waitFor()
    let done = false
    const uploading = upload('report.bin').finally(() => {
      done = true
    })
    const session = page.getByRole('listitem').filter({ hasText: 'report.bin' })
    const bar = session.getByRole('progressbar', { name: 'report.bin' })
    const rate = session.getByText(/^\d+\.\d [KM]iB\/s$/)
    await rate.waitFor()
    expect(await session.locator('.user').textContent()).toBe('ada')
    expect(await session.locator('.left').textContent()).toMatch(/^\d+ s$/)
    const values: number[] = []
    const widths = new Set<string>()
    while (!done) {
      values.push(Number(await bar.evaluate((element) => Reflect.get(element, 'value'))))
      // The upload may end in between, which removes the bar.
      const picture = await bar.screenshot().catch(async (error: unknown) => {
        if ((await bar.count()) === 0) return undefined
        throw error
      })
      if (picture) widths.add(picture.toString('base64'))
      // Enough has been seen.
      if (new Set(values).size > 5 && widths.size > 3) line.bytesPerSecond = Infinity
      await sleep(50)
    }
    await uploading
    const row = page.getByRole('row').filter({ hasText: 'uploaded' })
    await row.getByRole('link', { name: 'report.bin' }).waitFor()
    const between = values.filter((value) => value > 0 && value < 100)
    expect(new Set(between).size).toBeGreaterThan(2)
    expect(values).toEqual([...values].sort((one, other) => one - other))
    // The rendered bar moved as well.
    expect(widths.size).toBeGreaterThan(3)
    const files = page.getByRole('region', { name: 'Files', exact: true })
    await files.getByRole('link', { name: 'report.bin' }).waitFor()
    await files.getByRole('cell', { name: '3.8 MiB' }).waitFor()
    expect(complaints).toEqual([])
  })

  test('it works under the default content security policy of helmet, with no inline script or style', async () => {
    const page = await openPage()
    let policy = ''
    await page.route(`${demo.origin}/`, async (route) => {
      const response = await route.fetch()
      // The default that the demo omits, as it cannot work with plain http.
      policy = `${response.headers()['content-security-policy']};upgrade-insecure-requests`
      await route.fulfill({ response, headers: { ...response.headers(), 'content-security-policy': policy } })
    })
    await page.reload()
    await page.getByText('Live', { exact: true }).waitFor()
    expect(policy.split(';').sort()).toEqual(await defaultPolicy())
    expect(await page.locator('style, [style], script:not([src]), [onclick]').count()).toBe(0)
    // The style sheet was loaded.
    expect(await page.evaluate('getComputedStyle(document.querySelector("section")).borderRadius')).not.toBe(
      '0px',
    )
    expect(complaints).toEqual([])
  })

  test('the reply of the server application is shown, and so is a refusal', async () => {
    const page = await openPage()
    const replies = page.getByRole('region', { name: 'Replies' })
    await replies.getByText('No reply yet.').waitFor()
    await uploadAtOnce('inventory.csv', 'name,system\r\nPC-1,Windows 11\r\n')
    const reply = replies.getByRole('listitem').filter({ hasText: 'inventory.csv' })
    await reply.getByText('replied', { exact: true }).waitFor()
    expect(JSON.parse((await reply.locator('pre').textContent()) ?? '')).toMatchObject({
      rows: 1,
      columns: 2,
    })
    expect(await replies.getByText('No reply yet.').isVisible()).toBe(false)
    await expect(uploadAtOnce('broken.xml', '<a>\n<b></a>')).rejects.toMatchObject({ status: 400 })
    const refusal = replies.getByRole('listitem').filter({ hasText: 'broken.xml' })
    await refusal.getByText('line 2, column 7: unexpected close tag').waitFor()
    // Screen readers are notified.
    await page.getByRole('status').getByText('broken.xml: refused').first().waitFor({ state: 'attached' })
    // The latest come first, even on a page that is opened later.
    await page.reload()
    await refusal.waitFor()
    await reply.waitFor()
    expect(await replies.getByRole('heading', { level: 3 }).allTextContents()).toEqual([
      'broken.xml',
      'inventory.csv',
    ])
    expect(complaints).toEqual([])
  })

  test('it fits a window of 320 pixels, whatever the names', async () => {
    const page = await openPage({ viewport: { width: 320, height: 640 } })
    await uploadAtOnce(`${'very-long-name-without-a-blank'.repeat(5)}.csv`, 'a,b')
    await page.getByRole('link', { name: 'very-long' }).first().waitFor()
    await page.getByText('replied', { exact: true }).waitFor()
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(320)
  })

  test('it follows the dark color scheme', async () => {
    const brightness = async (page: Page, property: string) => {
      const color = await page.evaluate(`getComputedStyle(document.body)[${JSON.stringify(property)}]`)
      const [red = 0, green = 0, blue = 0] = (String(color).match(/\d+/g) ?? []).map(Number)
      return (red + green + blue) / 3
    }
    const light = await openPage({ colorScheme: 'light' })
    expect(await brightness(light, 'backgroundColor')).toBeGreaterThan(200)
    expect(await brightness(light, 'color')).toBeLessThan(80)
    const dark = await openPage({ colorScheme: 'dark' })
    expect(await brightness(dark, 'backgroundColor')).toBeLessThan(50)
    expect(await brightness(dark, 'color')).toBeGreaterThan(180)
  })

  test('it reconnects after a restart of the server, and shows the session continue', async () => {
    const page = await openPage()
    const uploading = upload('restart.bin')
    await page.getByRole('progressbar', { name: 'restart.bin' }).waitFor()
    const { port, directory } = demo
    await demo.server.stop()
    await page.getByText('Reconnecting').waitFor()
    const again = await startServer({ directory, port, host: '127.0.0.1', users: { ada: 'secret' } })
    try {
      await page.getByText('Live', { exact: true }).waitFor()
      line.bytesPerSecond = Infinity
      await uploading
      await page.getByText('uploaded', { exact: true }).waitFor()
      expect(await page.getByRole('progressbar').count()).toBe(0)
    } finally {
      await again.stop()
    }
  })

  test('the button has an upload shown, unless one is running', async () => {
    const show = { isRunning: false, starts: 0 }
    const shown = await startDemo({
      show: {
        get isRunning() {
          return show.isRunning
        },
        start() {
          show.starts += 1
          show.isRunning = true
          return true
        },
      },
    })
    try {
      const page = await newPage()
      await page.goto(shown.origin)
      const button = page.getByRole('button', { name: 'Show an upload' })
      await button.focus()
      await page.keyboard.press('Enter')
      await page.getByRole('status').getByText('It starts.').waitFor()
      expect(show.starts).toBe(1)
      await page.locator('#show-upload[aria-disabled=true]').waitFor()
      show.isRunning = false
      await page.locator('#show-upload[aria-disabled=false]').waitFor()
      expect(complaints).toEqual([])
    } finally {
      await shown.stop()
    }
    // If the server cannot show an upload, there is no button.
    expect(await (await openPage()).getByRole('button', { name: 'Show an upload' }).isVisible()).toBe(false)
  })

  test('names are shown as they are, never as HTML', async () => {
    const page = await openPage()
    await uploadAtOnce("&lt;b&gt;&amp;'%23.csv", 'a,b', encodeURIComponent('<i>eve</i>'))
    await page.getByRole('link', { name: "&lt;b&gt;&amp;'#.csv" }).first().waitFor()
    await page.getByText('"file": "&lt;b&gt;&amp;\'#.csv"').waitFor()
    await page.getByText('<i>eve</i>').waitFor()
  })

  test('a file of the browser is uploaded, and other pages see it too', async () => {
    const other = await openPage()
    const page = await openPage()
    const source = await demo.write('from-browser.txt', 'Hello from a browser.')
    await page.getByLabel('File', { exact: true }).setInputFiles(source)
    await page.getByRole('button', { name: 'Upload', exact: true }).click()
    const inFiles = (each: Page) =>
      each.getByRole('region', { name: 'Files', exact: true }).getByRole('link', { name: 'from-browser.txt' })
    for (const each of [page, other]) await inFiles(each).waitFor()
    expect(page.url()).toBe(`${demo.origin}/`)
    const [download] = await Promise.all([other.waitForEvent('download'), inFiles(other).click()])
    expect(download.suggestedFilename()).toBe('from-browser.txt')
    expect(complaints).toEqual([])
  })
}

/** The directives that helmet sets by default. */
async function defaultPolicy(): Promise<string[]> {
  const server = createServer((req, res) => helmet()(req, res, () => res.end())).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { headers } = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  server.close()
  return (headers.get('content-security-policy') ?? '').split(';').sort()
}
