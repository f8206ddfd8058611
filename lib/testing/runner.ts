import assert, { type AssertPredicate } from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Awaitable } from '../../types/awaitable.js'

/** The functions of a test runner: those of `node:test`, Jest, Vitest and (with `it` as `test`) Mocha fit. */
export interface Runner {
  describe(name: string, body: () => void): unknown
  /** @param timeout milliseconds, for a test that takes longer than usual. Jest and Vitest accept it. */
  test(name: string, body: () => Promise<void>, timeout?: number): unknown
}

/** Options of a contract's tests. */
export interface ContractOptions {
  /** The title of the tests. */
  readonly name?: string | undefined
  /** Default: `describe` and `test` of `node:test`. */
  readonly runner?: Runner | undefined
}

/** Tests by name. Each gets a fresh subject. */
export type ContractTests<Subject> = Readonly<Record<string, (subject: Subject) => Promise<void>>>

/** The tests of each clause of a contract. Their titles begin with the clause: `append-offset: bytes are ...`. */
export type ContractClauses<Subject> = Readonly<Record<string, ContractTests<Subject>>>

/** Like `assert.rejects`, for methods that may throw as well as reject. */
export function assertRejects(
  work: () => Awaitable<unknown>,
  expected?: AssertPredicate,
  message?: string,
): Promise<void> {
  const run = async () => work()
  return expected === undefined ? assert.rejects(run, message) : assert.rejects(run, expected, message)
}

const testWith: Runner['test'] = (name, body, timeout) =>
  test(name, timeout === undefined ? {} : { timeout }, body)

/**
 * Registers tests.
 *
 * @param contract their title by default.
 * @param use makes a subject, runs a test with it, and removes it again.
 * @param options `timeout` in milliseconds for each test; default: the runner's own.
 */
export function register<Subject>(
  contract: string,
  clauses: ContractClauses<Subject>,
  use: (check: (subject: Subject) => Promise<void>) => Promise<void>,
  { name = contract, runner = { describe, test: testWith }, timeout }: ContractOptions & { timeout?: number },
): void {
  runner.describe(name, () => {
    for (const [clause, tests] of Object.entries(clauses)) {
      for (const [title, check] of Object.entries(tests)) {
        runner.test(`${clause}: ${title}`, () => use(check), timeout)
      }
    }
  })
}
