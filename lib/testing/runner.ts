import assert, { type AssertPredicate } from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Awaitable } from '../../types/awaitable.js'

/** What a test runner has to have; those of `node:test`, Jest, Vitest and (with `it` as `test`) Mocha do. */
export interface Runner {
  describe(name: string, body: () => void): unknown
  test(name: string, body: () => Promise<void>): unknown
}

/** Options of a contract. */
export interface ContractOptions {
  /** What the tests are listed under. */
  readonly name?: string | undefined
  /** Default: `describe` and `test` of `node:test`. */
  readonly runner?: Runner | undefined
}

/** Tests by their names. Each gets a fresh subject. */
export type ContractTests<Subject> = Readonly<Record<string, (subject: Subject) => Promise<void>>>

/** As `assert.rejects`, for methods that may throw as well as reject. */
export function assertRejects(work: () => Awaitable<unknown>, expected?: AssertPredicate): Promise<void> {
  const run = async () => work()
  return expected === undefined ? assert.rejects(run) : assert.rejects(run, expected)
}

/**
 * Registers tests.
 *
 * @param contract what they are listed under by default.
 * @param use makes a subject, hands it to a test, and puts it away again.
 */
export function register<Subject>(
  contract: string,
  checks: ContractTests<Subject>,
  use: (check: (subject: Subject) => Promise<void>) => Promise<void>,
  { name = contract, runner = { describe, test } }: ContractOptions,
): void {
  runner.describe(name, () => {
    for (const [title, check] of Object.entries(checks)) runner.test(title, () => use(check))
  })
}
