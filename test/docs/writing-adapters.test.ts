import { describe, expect, test } from '@jest/globals'
import { SESSION_LOCK_CLAUSES } from '../../lib/testing/session-lock-contract.js'
import { SESSION_STORE_CLAUSES } from '../../lib/testing/session-store-contract.js'
import { STORAGE_CLAUSES } from '../../lib/testing/storage-contract.js'
import { block } from './blocks.js'
import { table } from './tables.js'

describe('the tables of clauses name those of the contract tests, and no others', () => {
  test.each([
    ['Clause of a storage', STORAGE_CLAUSES],
    ['Clause of a session store', SESSION_STORE_CLAUSES],
    ['Clause of a session lock', SESSION_LOCK_CLAUSES],
  ])('%s', (firstCell, clauses) => {
    const rows = table(firstCell)
    expect(rows.map(([clause]) => clause).sort()).toEqual(Object.keys(clauses).sort())
    for (const [, level, consequence] of rows) {
      expect(level).toMatch(/^(required|recommended|optional)$/)
      expect(consequence).toMatch(/^[A-Z`].*\.$/)
    }
  })
})

test.each([
  ['class OneFolder ', 100],
  ['class OneFile ', 60],
])('the example %sis shorter than %d lines', (containing, limit) => {
  expect(block('ts', { containing }).text.trimEnd().split('\n').length).toBeLessThan(limit)
})
