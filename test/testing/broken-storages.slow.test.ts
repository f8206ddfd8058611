import { describe, expect, test } from '@jest/globals'
import { type Runner, storageContract } from 'express-bits-upload/testing'
import { STORAGE_CLAUSES } from '../../lib/testing/storage-contract.js'
import { BROKEN_STORAGES } from './broken-storages.js'
import { clausesOf, failedTests } from './failed-tests.js'
import { PlainStorage } from './plain-storage.js'
import { underTest } from './storage-under-test.js'

const caught = new Set<string>()

test('a correct storage passes', async () => {
  const register = (runner: Runner) => storageContract(() => underTest(new PlainStorage()), { runner })
  expect(await failedTests(register)).toEqual([])
})

describe('a broken storage is caught', () => {
  test.each(
    Object.entries(BROKEN_STORAGES).map(
      ([what, broken]) => [what, broken.caughtBy.join(', '), broken] as const,
    ),
  )('one that %s: %s', async (_what, _clauses, { make, caughtBy }) => {
    const failed = await failedTests((runner) => storageContract(() => underTest(make()), { runner }))
    expect(clausesOf(failed)).toEqual(caughtBy)
    for (const clause of caughtBy) caught.add(clause)
    // In words, rather than as a comparison of two values.
    for (const { message } of failed) expect(message).not.toMatch(/^(Expected|Missing expected)/)
  })
})

test('a failure names the call, and what came before it', async () => {
  const storage = new (class extends PlainStorage {
    override async discard() {}
  })()
  const register = (runner: Runner) => storageContract(() => underTest(storage), { runner })
  const failed = await failedTests(register, ['discard'])
  expect(failed.map(({ message }) => message)).toContainEqual(
    expect.stringContaining('received() after discard() returned 3 instead of 0.'),
  )
})

test('each clause catches a storage', () => {
  expect([...caught].sort()).toEqual(Object.keys(STORAGE_CLAUSES).sort())
})
