import { access, rm, writeFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { LockOptions } from '../../types/session.js'
import { errorCode } from '../util/errors.js'

/** Milliseconds without a sign of life after which a lock's holder counts as dead. */
const STALE_AFTER = 10_000
/** Milliseconds between a holder's signs of life, and between its looks at who else wants the lock. */
const HEARTBEAT_INTERVAL = 1_000
/** Milliseconds between two tries for a lock that somebody holds. */
const RETRY = 50

/**
 * Takes a lock that all processes respect which can see `path`, on one machine or on shared storage (the package
 * proper-lockfile: a directory that only one can make, kept fresh while it is held). Whoever waits leaves a note, so
 * that a holder whose client is gone can give way.
 *
 * @returns gives the lock back; `undefined` when somebody else holds it for longer than `options.wait` milliseconds.
 * @throws what `options.signal` was aborted with, while it waits.
 */
export async function lockFile(path: string, options: LockOptions): Promise<Unlock | undefined> {
  const note = `${path}.wanted`
  const deadline = Date.now() + options.timeout
  let unlock: Unlock | undefined
  let noted = false
  try {
    unlock = await tryLock(path, options.onReleaseRequested)
    while (!unlock && Date.now() < deadline) {
      noted = true
      await writeFile(note, '')
      await delay(RETRY, undefined, { signal: options.signal })
      unlock = await tryLock(path, options.onReleaseRequested)
    }
  } finally {
    // Nobody is to give way to who waits no more. Others that wait leave theirs again at their next try.
    if (noted || unlock) await rm(note, { force: true }).catch((error) => giveBack(unlock, error))
  }
  return unlock && watched(note, options.onReleaseRequested, unlock)
}

type Unlock = () => Promise<void>

async function tryLock(
  path: string,
  onReleaseRequested: LockOptions['onReleaseRequested'],
): Promise<Unlock | undefined> {
  // Loaded where it is needed only: it watches the process's signals, to give back locks at its end.
  const { lock } = await import('proper-lockfile')
  try {
    return await lock(path, {
      realpath: false,
      stale: STALE_AFTER,
      update: HEARTBEAT_INTERVAL,
      onCompromised: () => onReleaseRequested('lost'),
    })
  } catch (error) {
    if (errorCode(error) === 'ELOCKED') return undefined
    throw error
  }
}

/** A lock that nobody learns of would be kept fresh for ever. */
async function giveBack(unlock: Unlock | undefined, why: unknown): Promise<never> {
  await unlock?.()
  throw why
}

/** Looks out for the note of whoever wants the lock next, until it is given back. */
function watched(
  note: string,
  onReleaseRequested: LockOptions['onReleaseRequested'],
  unlock: Unlock,
): Unlock {
  const look = setInterval(() => {
    access(note).then(
      () => onReleaseRequested('wanted'),
      () => {},
    )
  }, HEARTBEAT_INTERVAL)
  look.unref()
  return () => {
    clearInterval(look)
    return unlock()
  }
}
