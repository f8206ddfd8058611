import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'tsup'

const HERE = fileURLToPath(new URL('.', import.meta.url))
/** Below the package, so that the servers find Express. */
const BUILT = join(HERE, '../../node_modules/.cache/express-bits-upload-bench')

/** Builds the library and the servers as a package's users run them: plain JavaScript, without a loader. */
export async function buildServers(): Promise<string> {
  await build({
    entry: {
      middleware: join(HERE, 'servers/middleware.ts'),
      plain: join(HERE, 'servers/plain.ts'),
      hello: join(HERE, 'servers/hello.ts'),
      acks: join(HERE, 'servers/acks.ts'),
      passwords: join(HERE, 'servers/passwords.ts'),
      tus: join(HERE, 'servers/tus.ts'),
      sessions: join(HERE, 'servers/sessions.ts'),
    },
    outDir: BUILT,
    tsconfig: join(HERE, '../../tsconfig.json'),
    noExternal: [/^express-bits-upload/],
    external: ['express', 'debug', '@tus/server', '@tus/file-store'],
    format: 'esm',
    outExtension: () => ({ js: '.mjs' }),
    target: 'node20',
    platform: 'node',
    // Bundled CommonJS libraries call `require` for Node's own modules.
    banner: {
      js: "import { createRequire as createRequireOfBundle } from 'node:module'\nconst require = createRequireOfBundle(import.meta.url)",
    },
    config: false,
    silent: true,
    clean: true,
  })
  return BUILT
}
