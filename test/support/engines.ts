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

/**
 * Tests of something that a system has or does not have, such as a kind of file system: nothing that could be installed.
 * Where it is missing they are skipped, in CI too, and a line says so.
 */
export function describeOnSystems(withWhat: string, isAvailable: () => boolean, body: () => void): void {
  if (isAvailable()) {
    describe(withWhat, body)
  } else {
    writeSync(2, `  This system has no ${withWhat}: their tests are skipped.\n`)
    test.skip(withWhat, () => {})
  }
}

/** For what Windows does not have. */
export const isPosix = (): boolean => process.platform !== 'win32'
