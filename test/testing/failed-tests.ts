import type { Runner } from 'express-bits-upload/testing'

/** A test of a contract that an implementation does not pass. */
export interface FailedTest {
  readonly clause: string
  readonly title: string
  readonly message: string
}

/**
 * Runs the tests of a contract.
 *
 * @param register calls the contract with a runner.
 * @param clauses the tests of which clauses to run; default: all.
 */
export async function failedTests(
  register: (runner: Runner) => void,
  clauses?: readonly string[],
): Promise<FailedTest[]> {
  const tests: { clause: string; title: string; body: () => Promise<void> }[] = []
  register({
    describe: (_name, body) => body(),
    test: (name, body) => {
      const [, clause = '', title = ''] = /^([a-z-]+): (.+)$/.exec(name) ?? []
      if (!clauses || clauses.includes(clause)) tests.push({ clause, title, body })
    },
  })
  const failed: FailedTest[] = []
  for (const { clause, title, body } of tests) {
    try {
      await body()
    } catch (error) {
      failed.push({ clause, title, message: error instanceof Error ? error.message : String(error) })
    }
  }
  return failed
}

/** The clauses of failed tests, each once, in the order of the alphabet. */
export const clausesOf = (failed: readonly FailedTest[]): string[] =>
  [...new Set(failed.map(({ clause }) => clause))].sort()
