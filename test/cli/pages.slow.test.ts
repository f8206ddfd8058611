import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import type { Page } from 'playwright-core'
import { startDemo } from '../demo/support.js'
import { accessibilityViolations } from '../support/axe.js'
import { CHROMIUM, useBrowser } from '../support/browser.js'
import { describeWithEngine } from '../support/engines.js'
import { fixtures } from '../support/fixtures.js'
import { Server } from './command.js'

/** If set, pictures of the pages are written to that directory. */
const SCREENSHOTS = process.env.PAGE_SCREENSHOTS
const { directory, afterwards } = fixtures()

describeWithEngine('Chromium', () => existsSync(CHROMIUM), suite)

function suite(): void {
  const { newPage } = useBrowser()

  /** Checks every page in both color schemes, at the width of a phone: it fits, and axe finds no violations. */
  async function check(name: string, open: string | ((page: Page) => Promise<unknown>)): Promise<void> {
    for (const colorScheme of ['light', 'dark'] as const) {
      const page = await newPage({ colorScheme, viewport: { width: 380, height: 800 } })
      await (typeof open === 'string' ? page.goto(open) : open(page))
      await page.getByRole('heading', { level: 1 }).waitFor()
      const path = SCREENSHOTS && join(SCREENSHOTS, `${name}-${colorScheme}.png`)
      if (path) await page.screenshot({ path, fullPage: true })
      const width = await page.evaluate('document.documentElement.scrollWidth')
      expect([name, colorScheme, width, await accessibilityViolations(page)]).toEqual([
        name,
        colorScheme,
        380,
        [],
      ])
      await page.close()
    }
  }

  test('the pages of serve are accessible, narrow and in both schemes', async () => {
    const folder = await directory()
    await mkdir(join(folder, 'logs'))
    await writeFile(join(folder, `${'a-long-name-without-a-blank'.repeat(5)}.vhdx`), Buffer.alloc(1_000_000))
    await writeFile(join(folder, 'report.csv'), 'a,b')
    const server = await Server.start(folder, ['--path', '/in', '--list', '--live', '--live-actions'])
    afterwards(() => server.kill('SIGKILL'))
    await check('front', `${server.origin}/`)
    await check('listing', `${server.origin}/in/`)
    await check('empty-listing', `${server.origin}/in/logs/`)
    await check('error', `${server.origin}/nothing`)
    await check('live', `${server.origin}/live/`)
  }, 300_000)

  test('the pages of the demo are accessible, narrow and in both schemes', async () => {
    const demo = await startDemo({ show: { isRunning: false, start: () => true } })
    afterwards(() => demo.stop())
    await check('demo', async (page) => {
      await page.goto(demo.origin)
      await page.getByRole('button', { name: 'Show an upload' }).waitFor()
    })
    await check('demo-error', async (page) => {
      await page.goto(demo.origin)
      await page.setContent(`<form action="${demo.origin}/form" method="post"><button>Send</button></form>`)
      await page.getByRole('button').click()
      await page.getByRole('heading', { level: 1, name: 'Not uploaded' }).waitFor()
    })
  }, 300_000)
}
