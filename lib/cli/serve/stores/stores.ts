import { resolve } from 'node:path'
import { FileSessionStore, FileStorage, type SessionStore, type StorageAdapter } from 'express-bits-upload'
import { prepareDirectory } from '../directories/prepare-directory.js'
import type { ServeFlags } from '../flags.js'
import { type RedisSessions, redisSessions } from './redis-sessions.js'
import { s3Objects } from './s3-objects.js'
import { checkStoreFlags } from './store-flags.js'

/** Where a server keeps uploads and their sessions. */
export interface ServeStores {
  readonly storage: StorageAdapter
  /** Absent: the one that suits the storage. */
  readonly sessionStore?: SessionStore
  /** Where the files go, for people to read. */
  readonly location: string
  /** Absolute path of the directory, when there is one. */
  readonly directory?: string
  /** Sessions end with this process, and unfinished uploads with them. */
  readonly forgetsSessions: boolean
  /** Connects, and checks that everything can be used. @throws CliError */
  open(): Promise<void>
  close(): void
}

/**
 * Creates the stores that the flags name, without connecting to anything.
 *
 * @throws CliError when flags contradict each other, are wrong, or need a package that is missing.
 */
export async function createStores(directory: string | undefined, flags: ServeFlags): Promise<ServeStores> {
  checkStoreFlags(directory, flags)
  const sessions = flags.redis === undefined ? undefined : await redisSessions(flags.redis, flags)
  return flags.s3Bucket === undefined
    ? fileStores(resolve(directory ?? ''), flags, sessions)
    : s3Stores(flags.s3Bucket, flags, sessions)
}

function fileStores(directory: string, flags: ServeFlags, sessions: RedisSessions | undefined): ServeStores {
  const { createDirectories, durability, shared } = flags
  const storage = new FileStorage({ directory, createDirectories, durability })
  const sessionStore = shared
    ? new FileSessionStore({ directory, durable: durability === 'fragment', shared })
    : sessions?.sessionStore
  return {
    storage,
    ...(sessionStore && { sessionStore }),
    location: directory,
    directory,
    forgetsSessions: false,
    async open() {
      await prepareDirectory(directory, { storage })
      await sessions?.open()
    },
    close: () => sessions?.close(),
  }
}

async function s3Stores(
  bucket: string,
  flags: ServeFlags,
  sessions: RedisSessions | undefined,
): Promise<ServeStores> {
  const objects = await s3Objects(bucket, flags, sessions?.exclusive)
  return {
    storage: objects.storage,
    ...(sessions && { sessionStore: sessions.sessionStore }),
    location: objects.location,
    forgetsSessions: sessions === undefined,
    async open() {
      await objects.open()
      await sessions?.open()
    },
    close() {
      sessions?.close()
      objects.close()
    },
  }
}
