import { setImmediate } from 'node:timers/promises'
import type { SessionStore } from '../../types/session.js'
import { assertAnswer } from './assertions.js'
import { newRecord } from './new-record.js'
import { assertRejects, type ContractClauses } from './runner.js'
import { assertRecord } from './session-store-keeping.js'

/** Changing sessions. */
export const CHANGING: ContractClauses<SessionStore> = {
  update: {
    'applies a change, and returns the whole session': async (store) => {
      const { uploadId } = newRecord(1)
      await store.create(newRecord(1))
      const changed = await store.update(uploadId, (current) => {
        assertRecord(current, newRecord(1))
        return { state: 'published', total: 7, lastActivity: 8 }
      })
      const expected = newRecord(1, { state: 'published', total: 7, lastActivity: 8 })
      assertRecord(changed, expected)
      assertRecord(await store.get(uploadId), expected)
    },

    'leaves a session unchanged when the change returns undefined': async (store) => {
      const { uploadId } = newRecord(1)
      await store.create(newRecord(1))
      assertAnswer('update()', await store.update(uploadId, () => undefined), undefined)
      assertRecord(await store.get(uploadId), newRecord(1))
    },

    'a change that throws changes nothing, and the next one works': async (store) => {
      const { uploadId } = newRecord(1)
      await store.create(newRecord(1))
      const fail = () =>
        store.update(uploadId, () => {
          throw new Error('no')
        })
      await assertRejects(fail, { message: 'no' })
      assertRecord(await store.update(uploadId, () => ({ total: 1 })), newRecord(1, { total: 1 }))
    },
  },

  'update-removes-fields': {
    'removes a field that a change sets to undefined, and keeps those that it omits': async (store) => {
      const { uploadId } = newRecord(1)
      await store.create(newRecord(1, { total: 5, replyUrl: 'a-reply', refused: true }))
      const expected = newRecord(1, { total: 5, refused: true })
      assertRecord(await store.update(uploadId, () => ({ replyUrl: undefined })), expected)
      assertRecord(await store.get(uploadId), expected)
      await store.update(uploadId, (current) => {
        assertRecord(current, expected)
        return { copyToDestination: undefined, replyUrl: undefined, total: 6 }
      })
      assertRecord(await store.get(uploadId), { ...expected, total: 6 })
      await store.update(uploadId, () => ({ replyUrl: 'another' }))
      assertRecord(await store.get(uploadId), { ...expected, total: 6, replyUrl: 'another' })
    },
  },

  'update-atomic': {
    'loses none of many concurrent changes': async (store) => {
      const records = [newRecord(1, { total: 0 }), newRecord(2, { total: 0 })]
      for (const record of records) await store.create(record)
      await Promise.all(
        Array.from({ length: 100 }, (_, n) =>
          store.update(records[n % 2]?.uploadId ?? '', ({ total = 0 }) => ({ total: total + 1 })),
        ),
      )
      for (const { uploadId } of records) {
        assertAnswer('After 50 changes at once, the counter', (await store.get(uploadId))?.total, 50)
      }
    },

    'a reader sees a complete session during changes': async (store) => {
      const { uploadId } = newRecord(1)
      await store.create(newRecord(1, { total: 0, replyUrl: '' }))
      let changing = true
      const read = async () => {
        while (changing) {
          const { total = 0, replyUrl } = (await store.get(uploadId)) ?? {}
          assertAnswer('The length of a field that get()', replyUrl?.length, total * 100)
          // Otherwise a store that reads from memory and writes to disk would never get to write.
          await setImmediate()
        }
      }
      const write = async () => {
        for (let n = 1; n <= 50; n++) {
          await store.update(uploadId, () => ({ total: n, replyUrl: 'x'.repeat(n * 100) }))
        }
      }
      await Promise.all([
        read(),
        write().finally(() => {
          changing = false
        }),
      ])
    },
  },

  'update-after-delete': {
    'a change never brings back a session that is deleted at the same time': async (store) => {
      for (let n = 1; n <= 20; n++) {
        const record = newRecord(n)
        await store.create(record)
        await Promise.all([
          store.update(record.uploadId, () => ({ total: 1 })),
          store.delete(record.uploadId),
          store.update(record.uploadId, () => ({ total: 2 })),
        ])
        assertAnswer('get()', await store.get(record.uploadId), undefined)
      }
    },
  },
}
