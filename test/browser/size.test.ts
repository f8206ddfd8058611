import { gzipSync } from 'node:zlib'
import { expect, test } from '@jest/globals'
import { bundleForBrowsers } from '../../demo/browser-module.js'

test('the module for browsers has less than 6 KB, compressed, and no imports', async () => {
  const module = await bundleForBrowsers()
  expect(gzipSync(module, { level: 9 }).length).toBeLessThan(6 * 1024)
  expect(module).not.toMatch(/\bimport\b\s*[{"'(]|\brequire\(/)
})
