import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'

/** The violations that axe finds on a page, each with its elements. */
export async function accessibilityViolations(page: Page): Promise<string[]> {
  // Not as a script of the page, because its policy would refuse that.
  await page.evaluate(await readFile(createRequire(import.meta.url).resolve('axe-core'), 'utf8'))
  const found: unknown = await page.evaluate(
    "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)].join(' ')))",
  )
  if (!Array.isArray(found)) throw new Error('axe did not run.')
  return found
}
