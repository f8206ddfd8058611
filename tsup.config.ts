import { defineConfig } from 'tsup'

export default defineConfig({
  entry: { index: 'lib/index.ts', client: 'lib/client/index.ts' },
  format: ['esm', 'cjs'],
  target: 'node20',
  platform: 'node',
  dts: true,
  sourcemap: true,
  clean: true,
})
