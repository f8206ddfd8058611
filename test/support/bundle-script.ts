import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const bundles = new Map<string, Promise<Uint8Array>>()

/**
 * A script of the tests and all that it imports, in one piece of JavaScript. Node starts it in a third of the time that
 * a loader for TypeScript takes, which counts where a test starts hundreds of processes.
 *
 * @param packages `external` where some are compiled: then the script must run where Node finds them.
 */
export function bundleScript(
  url: URL,
  format: 'cjs' | 'esm',
  packages: 'bundle' | 'external' = 'bundle',
): Promise<Uint8Array> {
  let bundle = bundles.get(url.href)
  if (!bundle) {
    bundle = bundleOf(fileURLToPath(url), format, packages)
    bundles.set(url.href, bundle)
  }
  return bundle
}

async function bundleOf(
  path: string,
  format: 'cjs' | 'esm',
  packages: 'bundle' | 'external',
): Promise<Uint8Array> {
  const { outputFiles } = await build({
    entryPoints: [path],
    bundle: true,
    platform: 'node',
    target: 'node20',
    format,
    packages,
    write: false,
    logLevel: 'silent',
  })
  const [file] = outputFiles
  if (!file) throw new Error(`esbuild wrote nothing for ${path}.`)
  return file.contents
}
