import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { type Durability, FileSessionStore, FileStorage } from 'express-bits-upload'
import { newRecord } from '../../lib/testing/new-record.js'
import {
  FAULT_CASES,
  FAULTED_FILE,
  Fault,
  TYPICAL_FAULT_CASES,
  uploadThrough,
} from '../support/file-system-faults.js'
import { openFiles } from '../support/files.js'
import { fixtures } from '../support/fixtures.js'
import { systemError } from '../support/intercepted-fs.js'

const { directory: newDirectory, start, connect } = fixtures()

const FILE = FAULTED_FILE
const OLD = Buffer.from('the old file')
/** No call occurs more often during an upload. */
const MOST_CALLS = 60
const MAX_SESSIONS = 1000

interface Place {
  readonly where: string
  readonly durability: Durability
  readonly overwrite: boolean
  readonly links: boolean
  readonly shared: boolean
  readonly cases: typeof FAULT_CASES
}

const PLACES: readonly Place[] = [
  {
    where: 'with links',
    durability: 'publish',
    overwrite: false,
    links: true,
    shared: false,
    cases: FAULT_CASES,
  },
  {
    where: 'without links, over an old file',
    durability: 'fragment',
    overwrite: true,
    links: false,
    shared: false,
    cases: TYPICAL_FAULT_CASES,
  },
  {
    where: 'with links, over an old file, that processes share',
    durability: 'fragment',
    overwrite: true,
    links: true,
    shared: true,
    cases: TYPICAL_FAULT_CASES,
  },
  {
    where: 'without links',
    durability: 'publish',
    overwrite: false,
    links: false,
    shared: false,
    cases: TYPICAL_FAULT_CASES,
  },
]

function adapters(directory: string, { durability, links, shared }: Omit<Place, 'where' | 'cases'>) {
  const fault = new Fault()
  const calls = fault.fileSystem()
  if (!links) calls.link = () => Promise.reject(systemError('EPERM', 'link'))
  const storage = new FileStorage({ directory, durability }, calls)
  const durable = durability === 'fragment'
  return { fault, storage, sessionStore: new FileSessionStore({ directory, shared, durable }, calls) }
}

describe.each(PLACES)('a file system $where', ({ where: _, cases, ...place }) => {
  const { overwrite } = place

  test.each(cases)('whose $name fails with $code once loses nothing', async ({ name, code }) => {
    const directory = await newDirectory()
    const { fault, storage, sessionStore } = adapters(directory, place)
    const onUpload = () => 'a reply'
    const running = await start({
      storage,
      sessionStore,
      overwrite,
      onUpload,
      maxSessionsPerUser: MAX_SESSIONS,
    })
    const connection = await connect(running)
    await running.bits.sessions()
    for (let skip = 0; ; skip++) {
      const destination = `d${skip}/${overwrite ? 'old' : 'new'}.bin`
      const path = join(directory, destination)
      if (overwrite) {
        await mkdir(join(directory, `d${skip}`))
        await writeFile(path, OLD)
      }
      fault.arm(name, code, skip)
      const { refused, wentBack } = await uploadThrough(connection, `/uploads/${destination}`)
      const { hasStruck } = fault
      fault.disarm()
      const found = await readFile(path).catch(() => undefined)
      const expected = refused === undefined ? FILE : overwrite ? OLD : undefined
      const isRight = expected === undefined ? found === undefined : found?.equals(expected) === true
      // Only a disk that fails to store bytes may lose acknowledged ones.
      const mayGoBack = !wentBack || name === 'fsync' || name === 'close'
      const context = { name, code, skip, refused }
      expect({ ...context, isRight, mayGoBack }).toEqual({ ...context, isRight: true, mayGoBack: true })
      if (!hasStruck) break
      expect(skip).toBeLessThan(MOST_CALLS)
    }
    expect(await openFiles(directory)).toEqual([])
    const left = await readdir(join(directory, 'BITS-Sessions'))
    expect(left.filter((file) => /\.(?:lock|wanted)$/.test(file))).toEqual([])
  })
})

describe.each([
  { shared: false, cases: FAULT_CASES },
  { shared: true, cases: TYPICAL_FAULT_CASES },
])('a file system, shared: $shared,', ({ shared, cases }) => {
  const place = { durability: 'fragment', overwrite: false, links: true, shared } as const

  test.each(cases)('whose $name fails with $code once can be opened later', async ({ name, code }) => {
    for (let skip = 0; ; skip++) {
      const directory = await newDirectory()
      const { fault, storage, sessionStore } = adapters(join(directory, 'uploads'), place)
      fault.arm(name, code, skip)
      await storage.open().catch(() => {})
      await sessionStore.open().catch(() => {})
      const { hasStruck } = fault
      fault.disarm()
      await storage.open()
      await sessionStore.open()
      const record = newRecord(1)
      await sessionStore.create(record)
      expect(await sessionStore.get(record.uploadId)).toEqual(record)
      await sessionStore.close()
      expect(await openFiles(directory)).toEqual([])
      if (!hasStruck) break
      expect(skip).toBeLessThan(MOST_CALLS)
    }
  })

  test.each(cases)('whose $name fails with $code once is swept later', async ({ name, code }) => {
    const directory = await newDirectory()
    const { fault, sessionStore } = adapters(directory, place)
    await sessionStore.open()
    const folder = join(directory, 'BITS-Sessions')
    const active = newRecord(1)
    await sessionStore.createWithin(active, MAX_SESSIONS)
    const sweep = async () => {
      for await (const { uploadId } of sessionStore.expired(Number.MAX_SAFE_INTEGER)) {
        if (uploadId !== active.uploadId) await sessionStore.delete(uploadId)
      }
    }
    for (let skip = 0; ; skip++) {
      const [ended, idle] = [newRecord(2 * skip + 2), newRecord(2 * skip + 3)]
      for (const record of [ended, idle]) await sessionStore.createWithin(record, MAX_SESSIONS)
      await sessionStore.update(ended.uploadId, () => ({ state: 'closed' }))
      await writeFile(join(folder, `${idle.uploadId}.wanted`), '')
      await utimes(join(folder, `${idle.uploadId}.wanted`), 1, 1)
      fault.arm(name, code, skip)
      await sweep().catch(() => {})
      const { hasStruck } = fault
      fault.disarm()
      await sweep()
      const listed: string[] = []
      for await (const { uploadId } of sessionStore.list()) listed.push(uploadId)
      const left = (await readdir(folder)).filter((file) =>
        [ended, idle].some((r) => file.startsWith(r.uploadId)),
      )
      const expected = { listed: [active.uploadId], left: [] }
      expect({ name, code, skip, listed, left }).toEqual({ name, code, skip, ...expected })
      expect(await sessionStore.get(active.uploadId)).toEqual(active)
      if (!hasStruck) break
      expect(skip).toBeLessThan(MOST_CALLS)
    }
    expect(await openFiles(directory)).toEqual([])
    await sessionStore.close()
  })
})
