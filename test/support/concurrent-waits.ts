import { beforeAll, describe, test } from '@jest/globals'
import type { Runner } from 'express-bits-upload/testing'

/** Clauses of the contract of a session lock whose tests wait for seconds, most of them until a lock has expired. */
const WAITING = /^lock-(?:abort|alive|expiry|lost|wanted): /

interface Wait {
  readonly body: () => Promise<void>
  result?: Promise<void>
}

/**
 * Makes a runner for contracts, to be called in a `describe`. Tests that wait start together, after the `beforeAll`s that
 * come earlier: each has stores of its own.
 */
export function concurrentWaits(): Runner {
  const waits: Wait[] = []
  beforeAll(() => {
    for (const wait of waits) {
      wait.result = wait.body()
      // The test itself reports the failure.
      wait.result.catch(() => {})
    }
  })
  return {
    describe,
    test: (name, body, timeout) => {
      if (!WAITING.test(name)) return test(name, body, timeout)
      const wait: Wait = { body }
      waits.push(wait)
      return test(name, () => wait.result ?? wait.body(), timeout)
    },
  }
}
