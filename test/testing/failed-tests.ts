import type { Runner } from 'express-bits-upload/testing'

/** A contract test that an implementation fails. */
export interface FailedTest {
  readonly clause: string
  readonly title: string
  readonly message: string
}

/**
 * Runs the tests of a contract. Each test has its own subject.
 *
 * @param register calls the contract with a runner.
 * @param options `clauses`: the clauses to test; default: all. `concurrently`: for tests that mostly wait.
 */
export async function failedTests(
  register: (runner: Runner) => void,
  { clauses, concurrently = false }: { clauses?: readonly string[]; concurrently?: boolean } = {},
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
  const run = async ({ clause, title, body }: (typeof tests)[number]) => {
    try {
      await body()
    } catch (error) {
      failed.push({ clause, title, message: error instanceof Error ? error.message : String(error) })
    }
  }
  if (concurrently) await Promise.all(tests.map(run))
  else for (const each of tests) await run(each)
  return failed
}

/** The clauses of failed tests without duplicates, in alphabetical order. */
export const clausesOf = (failed: readonly FailedTest[]): string[] =>
  [...new Set(failed.map(({ clause }) => clause))].sort()
