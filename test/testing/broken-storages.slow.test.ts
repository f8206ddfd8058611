import { beforeAll, describe, expect, test } from '@jest/globals'
import { type Runner, storageContract } from 'express-bits-upload/testing'
import { STORAGE_CLAUSES } from '../../lib/testing/storage-contract.js'
import { BROKEN_STORAGES, type BrokenStorage } from './broken-storages.js'
import { clausesOf, type FailedTest, failedTests } from './failed-tests.js'
import { PlainStorage } from './plain-storage.js'
import { underTest } from './storage-under-test.js'

const caught = new Set<string>()

/** It waits until no more files or connections are closed, so it runs only with the storages that it should detect. */
const WAITING_CLAUSE = 'handles'
/** They fail because calls do not return for many seconds, which can pass while other storages are tested. */
const HANGING_CLAUSES = ['received-during-append', 'uploads-apart']
const OTHER_CLAUSES = Object.keys(STORAGE_CLAUSES).filter((clause) => clause !== WAITING_CLAUSE)

test('a correct storage passes', async () => {
  const register = (runner: Runner) => storageContract(() => underTest(new PlainStorage()), { runner })
  expect(await failedTests(register)).toEqual([])
})

function failedBy({ make, caughtBy }: BrokenStorage): Promise<FailedTest[]> {
  const register = (runner: Runner) => storageContract(() => underTest(make()), { runner })
  const clauses = caughtBy.includes(WAITING_CLAUSE) ? Object.keys(STORAGE_CLAUSES) : OTHER_CLAUSES
  return failedTests(register, { clauses })
}

describe('a broken storage is caught', () => {
  const started = new Map<BrokenStorage, Promise<FailedTest[]>>()
  beforeAll(() => {
    for (const broken of Object.values(BROKEN_STORAGES)) {
      if (broken.caughtBy.some((clause) => HANGING_CLAUSES.includes(clause)))
        started.set(broken, failedBy(broken))
    }
  })

  test.each(
    Object.entries(BROKEN_STORAGES).map(
      ([what, broken]) => [what, broken.caughtBy.join(', '), broken] as const,
    ),
  )('one that %s: %s', async (_what, _clauses, broken) => {
    const { caughtBy } = broken
    const failed = await (started.get(broken) ?? failedBy(broken))
    expect(clausesOf(failed)).toEqual(caughtBy)
    for (const clause of caughtBy) caught.add(clause)
    // Messages describe the problem, instead of comparing two values.
    for (const { message } of failed) expect(message).not.toMatch(/^(Expected|Missing expected)/)
  })
})

test('a failure names the call, and what came before it', async () => {
  const storage = new (class extends PlainStorage {
    override async discard() {}
  })()
  const register = (runner: Runner) => storageContract(() => underTest(storage), { runner })
  const failed = await failedTests(register, { clauses: ['discard'] })
  expect(failed.map(({ message }) => message)).toContainEqual(
    expect.stringContaining('received() after discard() returned 3 instead of 0.'),
  )
})

test('each clause catches a storage', () => {
  expect([...caught].sort()).toEqual(Object.keys(STORAGE_CLAUSES).sort())
})
