import { constants } from 'node:fs'
import { readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, expect, test } from '@jest/globals'
import { nodeFileSystem } from '../../lib/util/fs.js'
import { MainThreadBudget, mainThreadBudget } from '../../lib/util/main-thread-budget.js'
import { type QuickCalls, quickCalls } from '../../lib/util/quick-calls.js'
import { fixtures } from '../support/fixtures.js'
import { tripsToThreadPool } from '../support/thread-pool-trips.js'

const { directory: newDirectory } = fixtures()

let directory: string
let isLocal: boolean
let quick: QuickCalls

beforeEach(async () => {
  directory = await newDirectory()
  // Time stands still, so that a busy machine does not use up the budget.
  isLocal = true
  quick = quickCalls(nodeFileSystem, { budget: new MainThreadBudget(() => 0), isLocal: () => isLocal })
})

/** Makes every call once or more. */
async function useAll(calls: QuickCalls): Promise<void> {
  const one = join(directory, 'one')
  const two = join(directory, 'two')
  const three = join(directory, 'three')
  const file = await calls.open(one, 'wx', 0o600)
  expect(await calls.write(file, Buffer.from('abcdef'), 1, 4, null)).toMatchObject({ bytesWritten: 4 })
  expect(await calls.writev(file, [Buffer.from('x'), Buffer.from('yz')], 4)).toMatchObject({
    bytesWritten: 3,
  })
  expect((await calls.fstat(file)).size).toBe(7)
  await calls.close(file)
  await calls.link(one, two)
  expect((await calls.lstat(one))?.nlink).toBe(2)
  await calls.rename(two, three)
  expect((await calls.stat(three)).size).toBe(7)
  await calls.chmod(three, 0o640)
  if (process.platform !== 'win32') expect((await calls.stat(one)).mode & 0o777).toBe(0o640)
  await calls.unlink(one)
  expect(await calls.lstat(one)).toBeUndefined()
  expect(await calls.realpath(directory)).toBe(await nodeFileSystem.realpath(directory))
  await expect(calls.readlink(three)).rejects.toMatchObject({ syscall: 'readlink', path: three })
  await expect(calls.stat(one)).rejects.toMatchObject({ code: 'ENOENT', syscall: 'stat', path: one })
  await expect(calls.open(one, constants.O_RDONLY)).rejects.toMatchObject({ code: 'ENOENT', syscall: 'open' })
}

test('within the budget, no call needs the thread pool', async () => {
  expect(await tripsToThreadPool(() => useAll(quick))).toBe(1)
  expect(await readFile(join(directory, 'three'), 'latin1')).toBe('bcdexyz')
})

test('on a file system that is not local, all calls are made through the thread pool', async () => {
  isLocal = false
  expect(await tripsToThreadPool(() => useAll(quick))).toBe(18)
  expect(await readFile(join(directory, 'three'), 'latin1')).toBe('bcdexyz')
})

test('writes more than 64 KiB through the thread pool', async () => {
  const file = await quick.open(join(directory, 'file'), 'wx', 0o600)
  const bytes = Buffer.alloc(64 * 1024 + 1, 'x')
  const most = bytes.subarray(1)
  expect(await tripsToThreadPool(() => quick.write(file, most, 0, most.length, null))).toBe(0)
  expect(await tripsToThreadPool(() => quick.write(file, bytes, 0, bytes.length, null))).toBe(1)
  const halves = [most.subarray(0, 32 * 1024), most.subarray(32 * 1024)]
  expect(await tripsToThreadPool(() => quick.writev(file, halves, 0))).toBe(0)
  expect(await tripsToThreadPool(() => quick.writev(file, [most, bytes.subarray(0, 1)], 0))).toBe(1)
  expect((await quick.fstat(file)).size).toBe(most.length + bytes.length)
  await quick.close(file)
})

test('resolves and reads links', async () => {
  const path = join(directory, 'file')
  await writeFile(path, '')
  await symlink(path, join(directory, 'link'))
  for (isLocal of [true, false]) {
    expect(await quick.readlink(join(directory, 'link'))).toBe(path)
    expect(await quick.realpath(join(directory, 'link'))).toBe(await nodeFileSystem.realpath(path))
  }
})

test('all of a thread share one budget', async () => {
  const shared = [1, 2].map(() => quickCalls(nodeFileSystem, { isLocal: () => true }))
  mainThreadBudget.run(() => {
    const start = performance.now()
    while (performance.now() - start < 3) {}
  })
  expect(await tripsToThreadPool(() => Promise.all(shared.map((each) => each.stat(directory))))).toBe(2)
})

test('a call that was replaced is the one that is made', async () => {
  const made: string[] = []
  const calls = { ...nodeFileSystem, link: async (from: string, to: string) => void made.push(from, to) }
  await quickCalls(calls, { isLocal: () => true }).link('from', 'to')
  expect(made).toEqual(['from', 'to'])
})

test('calls that follow each other without waiting share the budget of one turn', async () => {
  let now = 0
  const budget = new MainThreadBudget(() => {
    now += 1 / 8
    return now
  })
  quick = quickCalls(nodeFileSystem, { budget, isLocal: () => true })
  const trips = await tripsToThreadPool(async () => {
    for (let n = 0; n < 170; n++) await quick.stat(directory)
  })
  // Each seems to take an eighth of a millisecond: after 16 of them, one waits for the thread pool, and so ends the turn.
  expect(trips).toBe(10)
})
