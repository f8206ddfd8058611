import { afterAll } from '@jest/globals'
import { sessionLockContract } from 'express-bits-upload/testing'
import { concurrentWaits } from '../support/concurrent-waits.js'
import { RemoteStore } from '../support/remote-store.js'
import { temporaryDirectory } from '../support/serve.js'

afterAll(() => RemoteStore.stopAll())

sessionLockContract(
  async () => {
    const directory = await temporaryDirectory()
    const [one, other] = await Promise.all([
      RemoteStore.start(directory.path),
      RemoteStore.start(directory.path),
    ])
    const find = (store: unknown) => (store === one ? one : other)
    return {
      one,
      other,
      die: async (store) => find(store).suspend(),
      wake: async (store) => find(store).wake(),
      remove: async () => {
        for (const store of [one, other]) store.leave()
        await directory.remove()
      },
    }
  },
  { runner: concurrentWaits(), name: 'the lock of a shared FileSessionStore, in two processes' },
)
