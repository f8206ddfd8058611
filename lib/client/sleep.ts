import { setTimeout } from 'node:timers/promises'

/** Waits, unless the signal aborts: then it throws. */
export async function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted()
  if (milliseconds > 0) await setTimeout(milliseconds, undefined, signal ? { signal } : {})
}
