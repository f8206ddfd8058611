import { join } from 'node:path'

export const ROOT = join(import.meta.dirname, '../../..')

/**
 * The path of the bundled command line, for Node.
 *
 * @throws Error in a Jest project that does not bundle it first (see jest.config.js).
 */
export const bundledCommandLine = (): string => join(programsDirectory(), 'cli.js')

/**
 * The directory of the bundled package, as npm would install it.
 *
 * @throws Error in a Jest project that does not bundle it first (see jest.config.js).
 */
export const bundledPackage = (): string => join(programsDirectory(), 'package')

function programsDirectory(): string {
  const directory = process.env.BITS_TEST_PROGRAMS
  if (directory === undefined) throw new Error('jest.config.js bundles no programs for this project.')
  return directory
}
