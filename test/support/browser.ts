import { existsSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

const HEADLESS_SHELL = '/usr/bin/chromium-headless-shell'
/** Without the windows that nobody sees, Chromium takes 40 % less CPU time. */
export const CHROMIUM = existsSync(HEADLESS_SHELL) ? HEADLESS_SHELL : '/usr/bin/chromium'
const FLAGS =
  '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking ' +
  '--disable-component-update --disable-sync'

export interface TestBrowser {
  /** Errors in the browser: failed scripts, files that did not load, violations of the content security policy. */
  readonly complaints: readonly string[]
  /** Opens a page in a separate context, which is closed after the test. */
  newPage(options?: BrowserContextOptions): Promise<Page>
}

/** One Chromium for all tests in the calling suite. */
export function useBrowser(): TestBrowser {
  let browser: Browser
  const complaints: string[] = []

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS.split(' ') })
  })
  afterAll(() => browser?.close())
  beforeEach(() => void complaints.splice(0))
  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()))
  })

  return {
    complaints,
    async newPage(options = {}) {
      const context = await browser.newContext(options)
      // The test has a limit of its own; Playwright's 30 seconds can be too short on a busy machine.
      context.setDefaultTimeout(120_000)
      const page = await context.newPage()
      page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
      page.on('pageerror', (error) => complaints.push(error.message))
      return page
    },
  }
}
