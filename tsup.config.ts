import { defineConfig } from 'tsup'

export default defineConfig({
  entry: { index: 'lib/index.ts', client: 'lib/client/index.ts' },
  format: ['esm', 'cjs'],
  target: 'node20',
  platform: 'node',
  // tsup sets `baseUrl` itself, which TypeScript 6 takes only with this.
  dts: { compilerOptions: { ignoreDeprecations: '6.0' } },
  clean: true,
})
