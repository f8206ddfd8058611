import { beforeAll, describe, expect, jest, test } from '@jest/globals'
import { type Runner, sessionLockContract, sessionStoreContract } from 'express-bits-upload/testing'
import { SESSION_LOCK_CLAUSES } from '../../lib/testing/session-lock-contract.js'
import { SESSION_STORE_CLAUSES } from '../../lib/testing/session-store-contract.js'
import { BROKEN_LOCKS, BROKEN_SESSION_STORES } from './broken-session-stores.js'
import { clausesOf, type FailedTest, failedTests } from './failed-tests.js'
import { PlainEngine, PlainSessionStore } from './plain-session-store.js'

jest.setTimeout(300_000)

type Make = (engine?: PlainEngine) => PlainSessionStore

const cases = (broken: typeof BROKEN_LOCKS) =>
  Object.entries(broken).map(([what, store]) => [what, store.caughtBy.join(', '), store] as const)

/** Messages describe the problem, instead of comparing two values. */
const expectReadable = (failed: readonly FailedTest[]) => {
  for (const { message } of failed) expect(message).not.toMatch(/^(Expected|Missing expected|The expression)/)
}

describe('the contract of a session store', () => {
  const caught = new Set<string>()
  const failedBy = (make: Make) =>
    failedTests((runner: Runner) => sessionStoreContract(() => ({ store: make() }), { runner }))

  test('a correct store passes', async () => {
    expect(await failedBy(() => new PlainSessionStore())).toEqual([])
  })

  test.each(cases(BROKEN_SESSION_STORES))(
    'a store that %s is caught: %s',
    async (_what, _clauses, broken) => {
      const failed = await failedBy(broken.make)
      expect(clausesOf(failed)).toEqual(broken.caughtBy)
      expectReadable(failed)
      for (const clause of broken.caughtBy) caught.add(clause)
    },
  )

  test('each clause catches a store', () => {
    expect([...caught].sort()).toEqual(Object.keys(SESSION_STORE_CLAUSES).sort())
  })
})

describe('the contract of a session lock', () => {
  const caught = new Set<string>()
  const failedBy = (make: Make, clauses?: readonly string[]) =>
    failedTests(
      (runner: Runner) =>
        sessionLockContract(
          () => {
            const engine = new PlainEngine()
            const [one, other] = [make(engine), make(engine)]
            const suspend = async (store: unknown, suspended: boolean) => {
              for (const each of [one, other]) if (each === store) each.suspended = suspended
            }
            return {
              one,
              other,
              die: (store) => suspend(store, true),
              wake: (store) => suspend(store, false),
            }
          },
          { runner },
        ),
      { ...(clauses ? { clauses } : {}), concurrently: true },
    )
  // They spend most of their time waiting for a lock to expire, so they run concurrently.
  const results = new Map<Make, Promise<FailedTest[]>>()
  beforeAll(() => {
    // The other clauses would only slow it down.
    for (const { make, caughtBy } of Object.values(BROKEN_LOCKS)) results.set(make, failedBy(make, caughtBy))
  })

  test('a correct lock passes', async () => {
    expect(await failedBy((engine) => new PlainSessionStore(engine))).toEqual([])
  })

  test.each(cases(BROKEN_LOCKS))('a lock that %s is caught: %s', async (_what, _clauses, broken) => {
    const failed = (await results.get(broken.make)) ?? []
    expect(clausesOf(failed)).toEqual(broken.caughtBy)
    expectReadable(failed)
    for (const clause of broken.caughtBy) caught.add(clause)
  })

  test('each clause catches a lock', () => {
    expect([...caught].sort()).toEqual(Object.keys(SESSION_LOCK_CLAUSES).sort())
  })
})
