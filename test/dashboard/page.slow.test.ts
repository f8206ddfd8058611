import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import type { RequestHandler } from 'express'
import helmet from 'helmet'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { accessibilityViolations } from '../support/axe.js'
import { CHROMIUM, useBrowser } from '../support/browser.js'
import { describeWithEngine } from '../support/engines.js'
import {
  type RunningDashboard,
  type SimulatedBits,
  session,
  simulateBits,
  startDashboard,
} from './support.js'

/** If set, pictures of the page are written to that directory; `docs/images` updates the one in the README. */
const SCREENSHOTS = process.env.DASHBOARD_SCREENSHOTS
const MIB = 1024 * 1024
const USERS = ['PC-0117', 'PC-0242', 'ada', 'LAB-09', undefined]

describeWithEngine('Chromium', () => existsSync(CHROMIUM), suite)

function suite(): void {
  const { newPage, complaints } = useBrowser()
  let simulation: SimulatedBits
  let dashboard: RunningDashboard
  const timers: NodeJS.Timeout[] = []
  /** Helmet's default policy. The dashboard has a stricter one. */
  let policy: string

  beforeEach(async () => {
    simulation = simulateBits()
    dashboard = await startDashboard(simulation.bits, { files: '/uploads' }, [helmet(), notePolicy])
  })
  afterEach(() => {
    for (const timer of timers.splice(0)) clearInterval(timer)
    return dashboard.stop()
  })

  const notePolicy: RequestHandler = (_req, res, next) => {
    policy = String(res.getHeader('Content-Security-Policy'))
    next()
  }

  async function openPage(options: BrowserContextOptions = {}): Promise<Page> {
    const page = await newPage(options)
    await page.goto(`${dashboard.origin}/live/`)
    await page.getByText('Live', { exact: true }).waitFor()
    return page
  }

  function add(...sessions: ReturnType<typeof session>[]): void {
    for (const each of sessions) simulation.sessions.set(each.uploadId, each)
  }

  /** Keeps them active however long the test takes: a session without news for ten seconds counts as waiting. */
  function keepActive(active: ReturnType<typeof session>): void {
    timers.push(setInterval(() => simulation.emit('progress', { ...active, lastActivity: new Date() }), 1000))
  }

  /** A busy fleet: active and waiting sessions, finished and failed uploads. */
  function addFleet(): void {
    const names = [
      'disk-images/PC-0117.vhdx',
      'evidence/case-88.7z',
      'inventory/2026-11-28.xml',
      'logs/LAB-09.zip',
    ]
    names.slice(0, 3).forEach((name, index) => {
      const total = (index * 900 + 128) * MIB
      const received = Math.round(total * (0.2 + index * 0.3))
      const createdAt = new Date(Date.now() - index * 60_000)
      const active = session(name, {
        total,
        received,
        rate: (index + 1) * 2.6 * MIB,
        user: USERS[index],
        address: `10.0.4.${17 + index}`,
        fragmentSize: 8 * MIB,
        createdAt,
      })
      add(active)
      keepActive(active)
    })
    for (let n = 0; n < 60; n += 1) {
      const fields = {
        age: 60_000 * (n + 1),
        total: 64 * MIB,
        received: n * MIB,
        user: USERS[n % 5],
        address: `10.0.9.${n}`,
      }
      add(session(`inventory/PC-${String(n).padStart(4, '0')}.csv`, fields))
    }
    names.forEach((destination, index) => {
      const ended = session(destination, { received: index * 40 * MIB, user: USERS[index] })
      if (index === 0) simulation.emit('refused', ended, { status: 403, message: '' })
      else if (index === 1) simulation.emit('cancelled', ended)
      else if (index === 2) simulation.emit('expired', ended)
      else simulation.emit('uploaded', { destination, size: (index + 1) * 40 * MIB, session: ended })
    })
  }

  /** Ten minutes of throughput, by the clock of the server. */
  function addHistory(): void {
    const one = session('history')
    const now = Date.now
    const start = now() - 600_000
    let received = 0
    try {
      for (let n = 0; n < 120; n += 1) {
        Date.now = () => start + n * 5000
        received += Math.round((14 + 9 * Math.sin(n / 9) + 3 * Math.sin(n * 1.7)) * 5 * MIB)
        simulation.emit('progress', { ...one, received })
      }
    } finally {
      Date.now = now
    }
  }

  async function picture(page: Page, name: string): Promise<void> {
    if (SCREENSHOTS)
      await page.screenshot({ path: join(SCREENSHOTS, name), fullPage: name !== 'dashboard.png' })
  }

  test.each([
    ['light', { colorScheme: 'light', viewport: { width: 780, height: 655 } }, 'dashboard.png'],
    ['dark', { colorScheme: 'dark', viewport: { width: 960, height: 800 } }, 'dashboard-dark.png'],
    ['narrow', { viewport: { width: 380, height: 800 } }, 'dashboard-narrow.png'],
  ] as const)(
    'a page that is %s fits its window, and axe finds no violation',
    async (_name, options, file) => {
      addHistory()
      addFleet()
      const page = await openPage(options)
      await page.getByText('Page 1 of 3').waitFor()
      await page.getByRole('progressbar', { name: 'case-88.7z' }).waitFor()
      expect(await page.getByRole('img', { name: /Throughput .* peak [\d.]+ MiB\/s/ }).count()).toBe(1)
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(options.viewport.width)
      await picture(page, file)
      expect(await accessibilityViolations(page)).toEqual([])
      expect(complaints).toEqual([])
    },
  )

  test('it works under the default policy of helmet', async () => {
    addFleet()
    const page = await newPage()
    await page.route(`${dashboard.origin}/live/`, async (route) => {
      const response = await route.fetch()
      await route.fulfill({ response, headers: { ...response.headers(), 'content-security-policy': policy } })
    })
    await page.goto(`${dashboard.origin}/live/`)
    await page.getByText('Page 1 of 3').waitFor()
    expect(await page.locator('style, [style], script:not([src]), [onclick]').count()).toBe(0)
    expect(policy).toContain("script-src 'self'")
    expect(complaints).toEqual([])
  })

  test('totals, progress and time left follow the uploads', async () => {
    const one = session('a.bin', { total: 100 * MIB, received: 0, user: 'ada' })
    add(one, session('b.bin', { age: 120_000 }))
    const page = await openPage()
    simulation.emit('progress', { ...one, received: 40 * MIB, rate: 2 * MIB })
    const row = page.getByRole('region', { name: 'Active uploads' }).getByRole('listitem')
    await row.getByText('40.0 MiB of 100.0 MiB').waitFor()
    expect(await row.locator('.left').textContent()).toBe('30 s')
    expect(await row.locator('.rate').textContent()).toBe('2.0 MiB/s')
    expect(await page.locator('#total-active').textContent()).toBe('1')
    expect(await page.locator('#total-waiting').textContent()).toBe('1')
    const open = page.getByRole('region', { name: 'Open sessions' })
    await open.getByRole('row', { name: /b\.bin guest – 0 bytes \d min ago/ }).waitFor()
    simulation.emit('uploaded', { destination: 'a.bin', size: 100 * MIB, session: one })
    const link = page
      .getByRole('region', { name: 'Finished and failed' })
      .getByRole('link', { name: 'a.bin' })
    await link.waitFor()
    expect(await link.getAttribute('href')).toBe('/uploads/a.bin')
    expect(await row.count()).toBe(0)
    expect(await page.locator('#total-files').textContent()).toBe('1')
    // Screen readers are notified.
    await page.getByRole('status').getByText('a.bin: uploaded').waitFor({ state: 'attached' })
  })

  test('the list of open sessions is filtered and paged with the keyboard', async () => {
    addFleet()
    const page = await openPage()
    const rows = page.getByRole('region', { name: 'Open sessions' }).locator('tbody tr')
    await page.getByText('Page 1 of 3').waitFor()
    const next = page.getByRole('button', { name: 'Next' })
    await next.focus()
    await page.keyboard.press('Enter')
    await page.getByText('Page 2 of 3').waitFor()
    await page.keyboard.press('Enter')
    await page.getByText('Page 3 of 3').waitFor()
    // It is disabled now, but keeps the focus.
    expect(await next.getAttribute('aria-disabled')).toBe('true')
    expect(await next.evaluate((element) => element === element.ownerDocument.activeElement)).toBe(true)
    await page.getByLabel('Name or user contains').fill('pc-0007')
    while ((await rows.count()) !== 1) await page.waitForTimeout(50)
    expect(await rows.textContent()).toContain('inventory/PC-0007.csv')
    await page.getByLabel('Name or user contains').fill('nothing like it')
    await page.getByText('No session matches the filter.').waitFor()
    await page.getByLabel('Name or user contains').fill('')
    await page.getByLabel('Show').selectOption('active')
    while ((await rows.count()) !== 3) await page.waitForTimeout(50)
    expect(complaints).toEqual([])
  })

  test('names and users are shown as text, whatever they contain', async () => {
    add(session('<img src=x onerror=alert(1)>', { user: '<b>eve</b>' }))
    add(session('<i>waiting</i>', { user: '&amp;', age: 60_000 }))
    simulation.emit('cancelled', session('<u>gone</u>', { user: '"\'>' }))
    const page = await openPage()
    for (const text of [
      '<img src=x onerror=alert(1)>',
      '<b>eve</b>',
      '<i>waiting</i>',
      '&amp;',
      '<u>gone</u>',
      '"\'>',
    ])
      await page.getByText(text, { exact: true }).first().waitFor()
    expect(await page.locator('main :is(img, b, i, u)').count()).toBe(0)
  })

  test('with 10,000 sessions, the page stays small and fast', async () => {
    for (let n = 0; n < 10_000; n += 1) add(session(`${n}.bin`, { age: (n % 2) * 60_000, total: MIB * 1000 }))
    const page = await openPage()
    await page.getByText('Page 1 of 200').waitFor()
    expect(await page.locator('#total-active').textContent()).toBe((5000).toLocaleString('en-US'))
    expect(await page.getByRole('region', { name: 'Active uploads' }).getByRole('listitem').count()).toBe(20)
    await page.getByText('4980 more active uploads are in the list').waitFor()
    expect(await page.locator('*').count()).toBeLessThan(1000)
  })

  describe('with actions', () => {
    let withActions: RunningDashboard

    beforeEach(async () => {
      withActions = await startDashboard(simulation.bits, { actions: true }, [helmet()])
    })
    afterEach(() => withActions.stop())

    test.each([
      ['light', { viewport: { width: 960, height: 800 } }],
      ['dark', { colorScheme: 'dark', viewport: { width: 380, height: 800 } }],
    ] as const)(
      'a page that is %s asks before it cancels, and axe finds no violation',
      async (name, options) => {
        addFleet()
        const page = await newPage(options)
        await page.goto(`${withActions.origin}/live/`)
        await page.getByRole('button', { name: 'Cancel inventory/PC-0000.csv' }).waitFor()
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(options.viewport.width)
        expect(await accessibilityViolations(page)).toEqual([])
        await picture(page, `actions-${name}.png`)
        await page.getByRole('button', { name: 'Cancel inventory/PC-0000.csv' }).click()
        await page.getByRole('dialog').waitFor()
        expect(await accessibilityViolations(page)).toEqual([])
        await picture(page, `actions-${name}-question.png`)
        expect(complaints).toEqual([])
      },
    )

    test('uploads are cancelled, and expired sessions removed, with the keyboard', async () => {
      let sweeps = 0
      Object.assign(simulation.bits, {
        sweep: async () => {
          sweeps += 1
        },
      })
      const waiting = session('waiting.bin', { age: 60_000 })
      const active = session('active.bin', { total: MIB })
      add(active, waiting)
      keepActive(active)
      const page = await newPage()
      await page.goto(`${withActions.origin}/live/`)
      const dialog = page.getByRole('dialog')
      await page.getByRole('button', { name: 'Cancel waiting.bin' }).focus()
      // Neither the focused button nor the Escape key cancels anything.
      for (const key of ['Enter', 'Escape']) {
        await page.keyboard.press('Enter')
        await dialog.waitFor()
        await page.keyboard.press(key)
        await dialog.waitFor({ state: 'hidden' })
      }
      expect(simulation.sessions.size).toBe(2)

      await page.keyboard.press('Enter')
      await dialog.waitFor()
      await page.keyboard.press('Tab')
      await page.keyboard.press('Enter')
      await page.getByRole('status').getByText('waiting.bin: cancelled').waitFor()
      expect(simulation.sessions.has(waiting.uploadId)).toBe(false)
      // The session may have ended since the page was rendered.
      simulation.sessions.clear()
      await page.getByRole('button', { name: 'Cancel active.bin' }).first().click()
      await page.getByRole('button', { name: 'Cancel upload' }).click()
      await page.getByText('active.bin: has ended already').waitFor()

      await page.getByRole('button', { name: 'Remove expired sessions' }).click()
      expect(sweeps).toBe(0)
      await page.getByRole('button', { name: 'Remove sessions' }).click()
      await page.getByText('Expired sessions are removed.').waitFor()
      expect(sweeps).toBe(1)
    })

    test('a page of another site cannot press the buttons', async () => {
      const victim = session('victim.bin', { age: 60_000 })
      add(victim)
      const page = await newPage()
      // Another port of the same host is the same site, but a different origin. This page has no policy that would
      // prevent the request.
      const other = createServer((_req, res) => res.end('<!doctype html><title>Prizes</title>')).listen(
        0,
        '127.0.0.1',
      )
      await once(other, 'listening')
      try {
        await page.goto(`http://127.0.0.1:${(other.address() as AddressInfo).port}`)
        const target = `${withActions.origin}/live/cancel/${victim.uploadId}`
        for (const request of [
          "{ method: 'POST', mode: 'no-cors', credentials: 'include' }",
          "{ method: 'POST', headers: { 'X-BITS-Dashboard': '1' } }",
        ]) {
          await page.evaluate(`fetch(${JSON.stringify(target)}, ${request}).catch(() => {})`)
        }
        await page.setContent(`<form method="post" action="${target}"><button>Win a prize</button></form>`)
        const answered = page.waitForResponse(target)
        await page.getByRole('button').click()
        expect((await answered).status()).toBe(403)
        expect(simulation.sessions.size).toBe(1)
      } finally {
        other.close()
        other.closeAllConnections()
      }
    })
  })

  test('without actions there are no buttons', async () => {
    addFleet()
    const page = await openPage()
    await page.getByText('Page 1 of 3').waitFor()
    expect(await page.getByRole('button', { name: /Cancel|Remove/ }).count()).toBe(0)
  })
}
