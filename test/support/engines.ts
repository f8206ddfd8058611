import { writeSync } from 'node:fs'
import { describe, test } from '@jest/globals'

/**
 * Registers tests that need a program which Node and npm do not provide. If it is not installed, they are skipped with
 * a message; in CI, where `.ci/services` installs all of them, they fail.
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
 * Registers tests for a feature of the system that cannot be installed, such as a kind of file system. Where it is
 * missing, they are skipped with a message, even in CI.
 */
export function describeOnSystems(withWhat: string, isAvailable: () => boolean, body: () => void): void {
  if (isAvailable()) {
    describe(withWhat, body)
  } else {
    writeSync(2, `  This system has no ${withWhat}: their tests are skipped.\n`)
    test.skip(withWhat, () => {})
  }
}

/** For features that Windows does not have. */
export const isPosix = (): boolean => process.platform !== 'win32'
