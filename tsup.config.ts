import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig } from 'tsup'

// The builds write into one directory at the same time, so none of them may empty it.
rmSync('dist', { recursive: true, force: true })

const METAFILE = 'dist/metafile-esm.json'

export default defineConfig([
  {
    entry: {
      index: 'lib/index.ts',
      client: 'lib/client/index.ts',
      testing: 'lib/testing/index.ts',
      s3: 'lib/storage/s3/index.ts',
      multer: 'lib/multer/index.ts',
      dashboard: 'lib/dashboard/index.ts',
      metrics: 'lib/metrics/index.ts',
      opentelemetry: 'lib/opentelemetry/index.ts',
      redis: 'lib/session-stores/redis/index.ts',
      postgres: 'lib/session-stores/postgres/index.ts',
      negotiate: 'lib/negotiate/index.ts',
    },
    format: ['esm', 'cjs'],
    target: 'node20',
    platform: 'node',
    // `node:test` has no name without it.
    removeNodeProtocol: false,
    // The dashboard finds its files by `import.meta.url`, which CommonJS does not have.
    shims: true,
    // tsup sets `baseUrl` itself, which TypeScript 6 takes only with this.
    dts: { compilerOptions: { ignoreDeprecations: '6.0' } },
  },
  {
    // Minified, so that a page without a build step can load it as it is.
    entry: { browser: 'lib/browser/index.ts' },
    format: ['esm', 'cjs'],
    target: 'es2022',
    platform: 'browser',
    minify: true,
    dts: { compilerOptions: { ignoreDeprecations: '6.0' } },
  },
  {
    // The libraries of the command line are development dependencies, so that apps do not install them: they are
    // bundled, with their licenses beside them.
    entry: { cli: 'lib/cli/main.ts' },
    format: 'esm',
    target: 'node20',
    platform: 'node',
    // The command line uses the package as everybody does, by its name.
    external: [/^express-bits-upload/],
    // Optional peers of the package, which the command line must not miss: prom-client needs the other one.
    noExternal: ['prom-client', '@opentelemetry/api'],
    // Bundled CommonJS libraries call `require` for Node's own modules.
    banner: {
      js: "import { createRequire as createRequireOfBundle } from 'node:module'\nconst require = createRequireOfBundle(import.meta.url)",
    },
    metafile: true,
    async onSuccess() {
      cpSync('lib/dashboard/public', 'dist/public', { recursive: true })
      cpSync('lib/cli/express-bits-upload.service', 'dist/express-bits-upload.service')
      writeFileSync('dist/THIRD-PARTY-LICENSES.txt', licensesOf(bundledPackages()))
      rmSync(METAFILE)
    },
  },
])

/** Directories of the packages in the bundle, in the order of their names. */
function bundledPackages(): string[] {
  const { inputs }: { inputs: Record<string, unknown> } = JSON.parse(readFileSync(METAFILE, 'utf8'))
  const directories = Object.keys(inputs).flatMap((path) => {
    const [, directory] = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path) ?? []
    return directory === undefined ? [] : [directory]
  })
  return [...new Set(directories)].sort()
}

/** @throws Error for a package without a license text: it must not be shipped then. */
function licensesOf(directories: readonly string[]): string {
  const texts = directories.map((directory) => {
    const { name, version } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'))
    return `${name} ${version}\n\n${licenseText(directory)}`
  })
  return `The command line contains these packages.\n\n${texts.join(`\n${'-'.repeat(80)}\n\n`)}`
}

/** From the license file, or from the license section of the README, where some packages keep it. */
function licenseText(directory: string): string {
  const files = readdirSync(directory)
  const file = files.find((name) => /^(?:licen[cs]e|copying)/i.test(name))
  if (file !== undefined) return readFileSync(join(directory, file), 'utf8')
  const readme = files.find((name) => /^readme/i.test(name))
  const text = readme === undefined ? '' : readFileSync(join(directory, readme), 'utf8')
  const start = text.search(/^(?:#+ +licen[cs]e|licen[cs]ing\n-)/im)
  if (start < 0) throw new Error(`${directory} has no license text.`)
  return text.slice(start)
}
