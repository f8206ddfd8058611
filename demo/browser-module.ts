import { join } from 'node:path'
import { build } from 'esbuild'
import type { RequestHandler } from 'express'

const SOURCE = join(import.meta.dirname, '../lib/browser/index.ts')

/**
 * Serves `express-bits-upload/browser` to the page. The demo runs without a build, so it bundles the module from
 * source; your app can serve the file in the package.
 */
export function serveBrowserModule(): RequestHandler {
  let module: Promise<string> | undefined
  return async (_req, res) => {
    module ??= bundleForBrowsers()
    res
      .set('Cache-Control', 'no-cache')
      .type('js')
      .send(await module)
  }
}

/** Bundles the module as the package ships it. Rejects when something in it needs Node. */
export async function bundleForBrowsers(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [SOURCE],
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    write: false,
  })
  const [file] = outputFiles
  if (!file) throw new Error('esbuild wrote nothing.')
  return file.text
}
