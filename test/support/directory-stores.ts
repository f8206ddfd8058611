import { join } from 'node:path'
import { afterEach, beforeEach, describe, jest } from '@jest/globals'
import { FileSessionStore, type SessionRecord } from 'express-bits-upload'
import { newRecord } from '../../lib/testing/new-record.js'
import type { FileSystem } from '../../lib/util/fs.js'
import { describeOnSystems } from './engines.js'
import { fixtures } from './fixtures.js'
import { type FileSystemCall, interceptedFileSystem, systemError } from './intercepted-fs.js'

/** Tests of the journal, which sessions have only on Linux. */
export function onLinux(name: string, body: () => void): void {
  describeOnSystems(
    'session journal',
    () => process.platform === 'linux',
    () => describe(name, body),
  )
}

export interface StoreOptions {
  readonly shared?: boolean
  readonly durable?: boolean
}

export const idOf = (n: number): string => newRecord(n).uploadId

export async function recordsOf(store: Pick<FileSessionStore, 'list'>): Promise<Map<string, SessionRecord>> {
  const records = new Map<string, SessionRecord>()
  for await (const record of store.list()) records.set(record.uploadId, JSON.parse(JSON.stringify(record)))
  return records
}

/** The stores of a directory, closed after each test. */
export class DirectoryStores {
  directory = ''
  readonly #newDirectory = fixtures().directory
  #opened: FileSessionStore[] = []

  constructor() {
    beforeEach(() => this.newDirectory())
    afterEach(async () => {
      jest.restoreAllMocks()
      await this.close()
    })
  }

  async newDirectory(): Promise<void> {
    await this.close()
    this.directory = await this.#newDirectory()
  }

  get folder(): string {
    return join(this.directory, 'BITS-Sessions')
  }

  get journal(): string {
    return join(this.folder, 'sessions.journal')
  }

  async open(calls: Partial<FileSystem> = {}, options: StoreOptions = {}): Promise<FileSessionStore> {
    const store = new FileSessionStore({ directory: this.directory, ...options }, calls)
    await store.open()
    this.#opened.push(store)
    return store
  }

  /** The sessions that a process finds which starts after this one has exited. */
  async afterRestart(): Promise<Map<string, SessionRecord>> {
    await this.close()
    const store = await this.open()
    const records = await recordsOf(store)
    await this.close()
    return records
  }

  async close(): Promise<void> {
    for (const store of this.#opened.splice(0)) await store.close()
  }
}

/**
 * All calls from this one on fail, as if the process had died. Only files can still be closed, for the sake of the
 * test.
 */
export function dyingBefore(index: number): {
  readonly calls: Partial<FileSystem>
  readonly hasDied: () => boolean
} {
  let count = 0
  const before = ({ name }: FileSystemCall) => {
    if (name !== 'close' && count++ >= index) throw systemError('EIO', `dead before ${name}`)
  }
  return { calls: interceptedFileSystem(before), hasDied: () => count > index }
}
