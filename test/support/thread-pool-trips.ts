import { createHook } from 'node:async_hooks'

/** Counts the file system calls that are made through the thread pool during `work`. */
export async function tripsToThreadPool(work: () => Promise<unknown>): Promise<number> {
  let trips = 0
  const hook = createHook({
    init(_id, type) {
      if (type === 'FSREQCALLBACK' || type === 'FSREQPROMISE') trips++
    },
  })
  hook.enable()
  try {
    await work()
  } finally {
    hook.disable()
  }
  return trips
}
