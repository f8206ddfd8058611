import { cpSync, rmSync } from 'node:fs'
import { defineConfig } from 'tsup'

// The two builds write into one directory at the same time, so neither of them may empty it.
rmSync('dist', { recursive: true, force: true })

export default defineConfig([
  {
    entry: {
      index: 'lib/index.ts',
      client: 'lib/client/index.ts',
      testing: 'lib/testing/index.ts',
      s3: 'lib/storage/s3/index.ts',
    },
    format: ['esm', 'cjs'],
    target: 'node20',
    platform: 'node',
    // `node:test` has no name without it.
    removeNodeProtocol: false,
    // tsup sets `baseUrl` itself, which TypeScript 6 takes only with this.
    dts: { compilerOptions: { ignoreDeprecations: '6.0' } },
  },
  {
    entry: { cli: 'lib/cli/main.ts' },
    format: 'esm',
    target: 'node20',
    platform: 'node',
    // The command line uses the package as everybody does, by its name.
    external: ['express-bits-upload', 'express-bits-upload/client'],
    async onSuccess() {
      cpSync('lib/dashboard/public', 'dist/public', { recursive: true })
      cpSync('lib/cli/express-bits-upload.service', 'dist/express-bits-upload.service')
    },
  },
])
