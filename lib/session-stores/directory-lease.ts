import { randomBytes } from 'node:crypto'
import { renameSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { errorCode, ignoreNotFound } from '../util/errors.js'
import { type FileSystem, nodeFileSystem } from '../util/fs.js'
import { processWideMap } from '../util/process-wide.js'
import { directoryIdentity } from './directory-identity.js'

const NAME = 'lease'
/** Maximum path length of a socket in bytes (108 on Linux, 104 on macOS and BSD). */
const MAX_PATH = 100
/** Milliseconds for a process on this machine to accept a connection. */
const CONNECT_TIMEOUT = 1_000

/** A server that listens on a socket in the directory. */
interface LeaseSocket {
  readonly server: Server
  readonly path: string
  readonly identity: string | undefined
}

interface Holding {
  count: number
  readonly path: string
  readonly socket: Promise<LeaseSocket | undefined>
}

/** The leases of this process, by the identity of the directory, or by the path where that is unknown. */
const holdings = processWideMap<Holding>('leases')

/** A directory that is reserved for this process. */
export interface DirectoryLease {
  /** Whether it keeps others out. False if sockets are not available. */
  readonly isExclusive: boolean
  readonly release: () => Promise<void>
}

/**
 * Reserves a directory for this process by listening on a socket in it, which the system closes when the process ends,
 * however that happens. This needs no process ids, which are reused and are the same in many containers, and nothing
 * has to expire. Processes on one machine see each other, even in containers; those on other machines do not. Where
 * sockets are not available (Windows, some mounted file systems, very long paths) the lease keeps nobody out.
 *
 * @param place identity of the directory, if it has one: its path may have led to another one before.
 * @returns `undefined` while another process has it. This process may acquire it several times.
 */
export async function takeLease(
  folder: string,
  fs: FileSystem = nodeFileSystem,
  place?: string,
): Promise<DirectoryLease | undefined> {
  const path = join(folder, NAME)
  if (process.platform === 'win32' || Buffer.byteLength(path) > MAX_PATH) {
    return { isExclusive: false, release: async () => {} }
  }
  const holding = heldAt(path, place) ?? { count: 0, path, socket: listenAt(path, fs) }
  holdings.set(place ?? path, holding)
  holding.count++
  const release = async () => {
    if (--holding.count > 0) return
    for (const [key, held] of holdings) if (held === holding) holdings.delete(key)
    const socket = await holding.socket.catch(() => undefined)
    if (socket) await closeSocket(socket, fs)
  }
  try {
    const socket = await holding.socket
    return { isExclusive: socket !== undefined, release }
  } catch (error) {
    await release()
    if (error instanceof HeldElsewhere) return undefined
    throw error
  }
}

/** A store may have taken it that could not find out the identity, or one that could. */
function heldAt(path: string, place: string | undefined): Holding | undefined {
  if (place !== undefined) return holdings.get(place) ?? holdings.get(path)
  return holdings.get(path) ?? [...holdings.values()].find((held) => held.path === path)
}

class HeldElsewhere extends Error {
  override readonly name = 'HeldElsewhere'
}

/** @returns `undefined` where the file system has no sockets. */
async function listenAt(path: string, fs: FileSystem): Promise<LeaseSocket | undefined> {
  for (;;) {
    const server = createServer((socket) => socket.destroy())
    const error = await new Promise<unknown>((resolve) => {
      server.once('error', resolve)
      server.listen(path, () => resolve(undefined))
    })
    if (error === undefined) {
      const identity = await directoryIdentity(path, fs).catch(() => undefined)
      return { server: server.unref(), path, identity }
    }
    if (errorCode(error) !== 'EADDRINUSE') return undefined
    await removeStale(path, fs)
  }
}

/**
 * When Node closes a socket, it removes whatever has its path. If the path now leads to another directory, that is the
 * lease of the other directory, which is therefore renamed for a moment.
 */
async function closeSocket({ server, path, identity }: LeaseSocket, fs: FileSystem): Promise<void> {
  const there = await directoryIdentity(path, fs).catch(() => undefined)
  const aside =
    there === undefined || there === identity ? undefined : `${path}-${randomBytes(4).toString('hex')}`
  await new Promise<void>((resolve) => {
    const isAside = aside !== undefined && tryToRename(path, aside)
    server.close(() => resolve())
    if (isAside) tryToRename(aside, path)
  })
}

/** @returns whether it succeeded. Where names cannot be changed, Node removes none either. */
function tryToRename(from: string, to: string): boolean {
  try {
    renameSync(from, to)
    return true
  } catch {
    return false
  }
}

/**
 * Removes the socket of a process that has ended. It is moved first, which only one of several processes can do, and
 * then checked again: another process may have replaced it in the meantime.
 *
 * @throws HeldElsewhere when its process is alive.
 */
async function removeStale(path: string, fs: FileSystem): Promise<void> {
  if (await isAlive(path)) throw new HeldElsewhere()
  const aside = `${path}-${randomBytes(4).toString('hex')}`
  try {
    await fs.rename(path, aside)
  } catch (error) {
    return ignoreNotFound(error)
  }
  if (await isAlive(aside)) {
    await fs.rename(aside, path)
    throw new HeldElsewhere()
  }
  await fs.unlink(aside).catch(ignoreNotFound)
}

function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    const end = (alive: boolean) => {
      socket.destroy()
      resolve(alive)
    }
    // A process that is too busy to respond is alive.
    socket.setTimeout(CONNECT_TIMEOUT, () => end(true))
    socket.once('connect', () => end(true))
    socket.once('error', (error) => end(errorCode(error) === 'EAGAIN'))
  })
}
