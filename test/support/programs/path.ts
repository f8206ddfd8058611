import { join } from 'node:path'

export const ROOT = join(import.meta.dirname, '../../..')

/**
 * The bundled command line, to be run by Node.
 *
 * @throws Error in a Jest project that does not bundle it first (see jest.config.js).
 */
export function bundledCommandLine(): string {
  const directory = process.env.BITS_TEST_PROGRAMS
  if (directory === undefined) throw new Error('jest.config.js bundles no command line for this project.')
  return join(directory, 'cli.js')
}
