import { access, rm, writeFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { LockOptions } from '../../types/session.js'

/** Milliseconds without a sign of life after which a lock's holder counts as dead. */
const STALE = 10_000
/** Milliseconds between a holder's signs of life, and between its looks at who else wants the lock. */
const BEAT = 1_000
/** Milliseconds between two tries for a lock that somebody holds. */
const RETRY = 50

/**
 * Takes a lock that all processes respect which can see `path`, on one machine or on shared storage (the package
 * proper-lockfile: a directory that only one can make, kept fresh while it is held). Whoever waits leaves a note, so
 * that a holder whose client is gone can give way.
 *
 * @returns gives the lock back.
 * @throws Error when somebody else holds it for longer than `options.wait` milliseconds.
 * @throws what `options.signal` was aborted with, while it waits.
 */
export async function lockFile(path: string, options: LockOptions): Promise<() => Promise<void>> {
  const note = `${path}.wanted`
  const deadline = Date.now() + options.wait
  let noted = false
  try {
    for (;;) {
      const unlock = await tryLock(path, options.onWanted)
      if (unlock) return await holding(note, options.onWanted, unlock)
      if (Date.now() >= deadline) throw new Error(`Another process has held ${path} for ${options.wait} ms.`)
      noted = true
      await writeFile(note, '')
      await delay(RETRY, undefined, { signal: options.signal })
    }
  } catch (error) {
    // Nobody is to give way to who waits no more. Others that wait leave theirs again at their next try.
    if (noted) await rm(note, { force: true })
    throw error
  }
}

async function tryLock(path: string, onLost: () => void): Promise<(() => Promise<void>) | undefined> {
  // Loaded where it is needed only: it watches the process's signals, to give back locks at its end.
  const { lock } = await import('proper-lockfile')
  try {
    return await lock(path, { realpath: false, stale: STALE, update: BEAT, onCompromised: onLost })
  } catch (error) {
    if (error instanceof Object && Reflect.get(error, 'code') === 'ELOCKED') return undefined
    throw error
  }
}

/** Removes the note of whoever waited until now, and looks out for the next one. */
async function holding(
  note: string,
  onWanted: () => void,
  unlock: () => Promise<void>,
): Promise<() => Promise<void>> {
  await rm(note, { force: true })
  const look = setInterval(() => {
    access(note).then(onWanted, () => {})
  }, BEAT)
  look.unref()
  return async () => {
    clearInterval(look)
    await unlock()
  }
}
