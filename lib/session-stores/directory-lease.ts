import { randomBytes } from 'node:crypto'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { errorCode, ignoreNotFound } from '../util/errors.js'
import { type FileSystem, nodeFileSystem } from '../util/fs.js'
import { processWideMap } from '../util/process-wide.js'

const NAME = 'lease'
/** Maximum path length of a socket in bytes (108 on Linux, 104 on macOS and BSD). */
const MAX_PATH = 100
/** Milliseconds for a process on this machine to accept a connection. */
const CONNECT_TIMEOUT = 1_000

interface Holding {
  count: number
  readonly server: Promise<Server | undefined>
}

/** The leases of this process, by the path of the socket. */
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
 * @returns `undefined` while another process has it. This process may acquire it several times.
 */
export async function takeLease(
  folder: string,
  fs: FileSystem = nodeFileSystem,
): Promise<DirectoryLease | undefined> {
  const path = join(folder, NAME)
  if (process.platform === 'win32' || Buffer.byteLength(path) > MAX_PATH) {
    return { isExclusive: false, release: async () => {} }
  }
  const holding = holdings.get(path) ?? { count: 0, server: listenAt(path, fs) }
  holdings.set(path, holding)
  holding.count++
  const release = async () => {
    if (--holding.count > 0) return
    if (holdings.get(path) === holding) holdings.delete(path)
    const server = await holding.server.catch(() => undefined)
    await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()))
  }
  try {
    const server = await holding.server
    return { isExclusive: server !== undefined, release }
  } catch (error) {
    await release()
    if (error instanceof HeldElsewhere) return undefined
    throw error
  }
}

class HeldElsewhere extends Error {
  override readonly name = 'HeldElsewhere'
}

/** @returns `undefined` where the file system has no sockets. */
async function listenAt(path: string, fs: FileSystem): Promise<Server | undefined> {
  for (;;) {
    const server = createServer((socket) => socket.destroy())
    const error = await new Promise<unknown>((resolve) => {
      server.once('error', resolve)
      server.listen(path, () => resolve(undefined))
    })
    if (error === undefined) return server.unref()
    if (errorCode(error) !== 'EADDRINUSE') return undefined
    await removeStale(path, fs)
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
