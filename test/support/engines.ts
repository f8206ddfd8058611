import { writeSync } from 'node:fs'
import { describe, test } from '@jest/globals'

/**
 * Tests that need a program that Node and npm do not bring. Where it is not installed they are skipped, and a line says
 * so; in CI that is a failure, as `.ci/services` installs them all.
 */
export function describeWithEngine(name: string, isAvailable: () => boolean, body: () => void): void {
  if (isAvailable()) {
    describe(name, body)
  } else if (process.env.CI) {
    test(`${name} is installed`, () => {
      throw new Error(`${name} is not installed: see .ci/services`)
    })
  } else {
    writeSync(2, `  ${name} is not installed: its tests are skipped.\n`)
    test.skip(name, () => {})
  }
}
