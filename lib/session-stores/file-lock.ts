import { rmdirSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { callbackify } from 'node:util'
import type { LockOptions } from '../../types/session.js'
import { errorCode, ignoreNotFound } from '../util/errors.js'
import { type FileSystem, nodeFileSystem, writeText } from '../util/fs.js'
import { retryWhileBusy } from '../util/retry-while-busy.js'

/** Milliseconds without a heartbeat after which the holder of a lock counts as dead. */
const STALE_AFTER = 10_000
/** Milliseconds between a holder's heartbeats, and between its checks whether another process wants the lock. */
const HEARTBEAT_INTERVAL = 1_000
/** Milliseconds without a heartbeat after which a holder no longer relies on its lock: before others may acquire it. */
const TRUSTED_FOR = STALE_AFTER - 2 * HEARTBEAT_INTERVAL
/** Milliseconds between two attempts to acquire a lock that is held. */
const RETRY = 50

/**
 * Acquires a lock among all processes that can see `path`, on one machine or on shared storage (the package
 * proper-lockfile: a directory that only one can create, kept fresh while it is held). A waiting process leaves a note,
 * so that a holder whose client has disconnected can release the lock.
 *
 * @returns `undefined` when another process holds it for longer than `options.timeout` milliseconds.
 * @throws the reason of `options.signal` when that aborts during the wait.
 */
export async function lockFile(
  path: string,
  options: LockOptions,
  fs: FileSystem = nodeFileSystem,
): Promise<FileLock | undefined> {
  options.signal?.throwIfAborted()
  const note = `${path}.wanted`
  const deadline = Date.now() + options.timeout
  let lock: FileLock | undefined
  let noted = false
  try {
    lock = await tryFileLock(path, note, options, fs)
    while (!lock && Date.now() < deadline) {
      noted = true
      await writeText(note, 'w', '', undefined, fs)
      await delay(RETRY, undefined, { signal: options.signal })
      lock = await tryFileLock(path, note, options, fs)
    }
  } finally {
    // No holder should release its lock for a process that no longer waits. Other waiting processes write the note
    // again at their next attempt.
    if (noted || lock)
      await fs
        .unlink(note)
        .catch(ignoreNotFound)
        .catch((error) => giveBack(lock, error))
  }
  lock?.start()
  return lock
}

async function tryFileLock(
  path: string,
  note: string,
  options: LockOptions,
  fs: FileSystem,
): Promise<FileLock | undefined> {
  // Loaded on demand: it watches the signals of the process, to release locks at its end. In a bundle with several
  // chunks, a CommonJS module has its default export only.
  const { default: properLockfile } = await import('proper-lockfile')
  const held = new FileLock(note, options.onReleaseRequested, fs)
  try {
    held.unlock = await properLockfile.lock(path, {
      fs: withCallbacks(fs),
      realpath: false,
      stale: STALE_AFTER,
      update: HEARTBEAT_INTERVAL,
      onCompromised: () => held.lose(),
    })
    return held
  } catch (error) {
    if (errorCode(error) === 'ELOCKED') return undefined
    throw explained(error, path)
  }
}

/** A lock that is not removed keeps others waiting until it is stale, so its removal is repeated after these. */
const REMOVAL_FAILURES: ReadonlySet<string> = new Set(['EACCES', 'EBUSY', 'EINTR', 'EIO', 'EPERM', 'ESTALE'])

const lockCalls = new WeakMap<FileSystem, object>()

/**
 * The calls that proper-lockfile makes: one object for each file system, to which it attaches the precision of
 * timestamps.
 */
function withCallbacks(fs: FileSystem): object {
  const known = lockCalls.get(fs)
  if (known) return known
  const calls = {
    mkdir: callbackify((path: string) => fs.mkdir(path)),
    stat: callbackify((path: string) => fs.stat(path)),
    utimes: callbackify((path: string, accessed: Date, modified: Date) =>
      fs.utimes(path, accessed, modified),
    ),
    rmdir: callbackify(retryWhileBusy((path: string) => fs.rmdir(path), REMOVAL_FAILURES)),
    // At the end of the process.
    rmdirSync,
  }
  lockCalls.set(fs, calls)
  return calls
}

/** On SMB and some FUSE mounts, only the owner of a file may set its times, and that may be another user. */
function explained(error: unknown, path: string): unknown {
  const syscall = typeof error === 'object' && error !== null && Reflect.get(error, 'syscall')
  if (errorCode(error) !== 'EPERM' || (syscall !== 'utime' && syscall !== 'utimes')) return error
  return new Error(
    `The lock "${path}" cannot be renewed, because this process may not set the times of its files (EPERM of ${syscall}). ` +
      "If the directory is an SMB share, mount it with the uid of this process's user (mount option uid=).",
    { cause: error },
  )
}

/** A lock without an owner would be renewed forever. */
async function giveBack(lock: FileLock | undefined, why: unknown): Promise<never> {
  await lock?.release()
  throw why
}

/** A lock that this process holds, or has lost. */
export class FileLock {
  /** Removes the lock's directory. */
  unlock: () => Promise<void> = async () => {}
  readonly #note: string
  readonly #fs: FileSystem
  readonly #onReleaseRequested: LockOptions['onReleaseRequested']
  #heartbeat: NodeJS.Timeout | undefined
  #lastBeat = Date.now()
  #suspectUntil = 0
  #isLost = false

  constructor(note: string, onReleaseRequested: LockOptions['onReleaseRequested'], fs: FileSystem) {
    this.#note = note
    this.#fs = fs
    this.#onReleaseRequested = onReleaseRequested
  }

  /** Watches for the note of a process that wants the lock, until it is released. */
  start(): void {
    this.#lastBeat = Date.now()
    this.#heartbeat = setInterval(() => this.#beat(), HEARTBEAT_INTERVAL).unref()
  }

  /**
   * Whether another process may hold the lock by now. Also true briefly after this process was suspended, until
   * proper-lockfile has checked whether the lock is still its own.
   */
  get mayBeLost(): boolean {
    const now = Date.now()
    return this.#isLost || now - this.#lastBeat > TRUSTED_FOR || now < this.#suspectUntil
  }

  lose(): void {
    this.#isLost = true
    this.#onReleaseRequested('lost')
  }

  async release(): Promise<void> {
    // Another process's lock must not be removed.
    while (this.mayBeLost && !this.#isLost) await delay(RETRY)
    clearInterval(this.#heartbeat)
    if (!this.#isLost) await this.unlock()
  }

  #beat(): void {
    const now = Date.now()
    if (now - this.#lastBeat > TRUSTED_FOR) this.#suspectUntil = now + 2 * HEARTBEAT_INTERVAL
    this.#lastBeat = now
    this.#fs.stat(this.#note).then(
      () => this.#onReleaseRequested('wanted'),
      () => {},
    )
  }
}
