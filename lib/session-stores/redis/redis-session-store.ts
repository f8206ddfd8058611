import type {
  LockOptions,
  ReleaseLock,
  SessionChange,
  SessionRecord,
  SessionStore,
} from '../../../types/session.js'
import { hasEnded } from '../../sessions/record.js'
import { KeyedQueue } from '../../util/keyed-queue.js'
import { LeaseLocks } from '../lease-locks.js'
import { lockLost } from '../lock-lost.js'
import { parseSessionRecord, recordLine } from '../record-file.js'
import { RedisKeys, type ShardIndices } from './keys.js'
import { type RedisSessionStoreOptions, redisSettings } from './options.js'
import { redisLeases } from './redis-leases.js'
import { type RunScript, replyText, replyTexts, scriptRunner } from './requester.js'
import { CREATE, DELETE, FETCH, GET, LIST, PROBE, UPDATE } from './scripts.js'
import { UserPlaces } from './user-places.js'

/** Sessions that are read at a time. */
const RECORDS_PER_PAGE = 100
/** Numbers of the indices among the keys of a script. */
const [OPEN_INDEX, ENDED_INDEX] = [2, 3]
const [COUNTED, CHANGED, CONFLICT, LOCK_LOST] = [2, 1, 0, -2]
const EVERYTHING = '+inf'

/** Sessions in Redis or Valkey, for servers that share their uploads. */
export class RedisSessionStore implements SessionStore {
  readonly #run: RunScript
  readonly #keys: RedisKeys
  readonly #ttl: number
  readonly #locks: LeaseLocks
  readonly #places: UserPlaces
  readonly #turns = new KeyedQueue()

  /** @throws OptionError when an option is invalid. */
  constructor(options: RedisSessionStoreOptions) {
    const { redis, prefix, ttl, lease, timeout, shards } = redisSettings(options)
    this.#run = scriptRunner(redis, timeout)
    this.#keys = new RedisKeys(prefix, shards)
    this.#ttl = ttl
    this.#locks = new LeaseLocks(redisLeases(this.#run, this.#keys, lease), lease)
    const isOpen = async (uploadId: string) => {
      const record = await this.get(uploadId)
      return record !== undefined && !hasEnded(record)
    }
    this.#places = new UserPlaces(this.#run, { keys: this.#keys, ttl, isOpen })
  }

  /** @throws BitsError 503 when Redis does not respond, or accepts no writes. */
  async open(): Promise<void> {
    await this.check()
  }

  /** @throws BitsError 503 when Redis does not respond, or accepts no writes. */
  async check(): Promise<void> {
    await this.#run(PROBE, [this.#keys.probe])
  }

  async create(record: SessionRecord): Promise<void> {
    await this.#create(record, false)
  }

  /** Sessions that were created without a limit do not count. */
  async createWithin(record: SessionRecord, max: number): Promise<number | undefined> {
    const { user, uploadId } = record
    const place = await this.#places.take(user, uploadId, max)
    if (typeof place === 'number') return place
    try {
      await this.#create(record, true)
    } catch (error) {
      if (place === 'taken') await this.#free(user, uploadId)
      throw error
    }
    return undefined
  }

  async get(uploadId: string): Promise<SessionRecord | undefined> {
    const text = await this.#read(uploadId)
    return text === undefined ? undefined : parseSessionRecord(text)
  }

  async update(
    uploadId: string,
    change: (current: SessionRecord) => SessionChange | undefined,
  ): Promise<SessionRecord | undefined> {
    return this.#turns.run(uploadId, () => this.#update(uploadId, change))
  }

  /** Tries again after changes by other processes; changes by this process are queued, which costs less. */
  async #update(
    uploadId: string,
    change: (current: SessionRecord) => SessionChange | undefined,
  ): Promise<SessionRecord | undefined> {
    for (;;) {
      const text = await this.#read(uploadId)
      const current = text === undefined ? undefined : parseSessionRecord(text)
      if (text === undefined || current === undefined) return undefined
      const changes = change(current)
      if (!changes) return undefined
      const updated = { ...current, ...changes }
      const args = [text, ...this.#written(updated), this.#ttl, this.#locks.holderOf(uploadId) ?? '']
      const outcome = Number(await this.#run(UPDATE, this.#keysOf(uploadId), args))
      if (outcome === CONFLICT) continue
      if (outcome === LOCK_LOST) throw lockLost(uploadId)
      if (outcome === COUNTED && hasEnded(updated)) await this.#free(updated.user, uploadId)
      return outcome === COUNTED || outcome === CHANGED ? updated : undefined
    }
  }

  async delete(uploadId: string): Promise<void> {
    const counted = replyText(await this.#run(DELETE, this.#keysOf(uploadId), [uploadId]))
    const record = counted === undefined ? undefined : parseSessionRecord(counted)
    if (record) await this.#free(record.user, uploadId)
  }

  async *list({ openOnly = false } = {}): AsyncIterable<SessionRecord> {
    yield* this.#records(EVERYTHING, ({ open, ended }) => (openOnly ? [open] : [open, ended]))
  }

  async *expired(before: number): AsyncIterable<SessionRecord> {
    for await (const record of this.#records(`(${before}`, ({ open, ended }) => [open, ended])) {
      if (record.lastActivity < before) yield record
    }
  }

  async *ended(before: number): AsyncIterable<SessionRecord> {
    yield* this.#records(`(${before}`, ({ ended }) => [ended])
  }

  async lock(key: string, options: LockOptions): Promise<ReleaseLock | undefined> {
    return this.#locks.acquire(key, options)
  }

  /** The client stays open. */
  async close(): Promise<void> {
    this.#locks.close()
  }

  async #create(record: SessionRecord, isCounted: boolean): Promise<void> {
    const { uploadId } = record
    const args = [...this.#written(record), this.#ttl, isCounted ? 1 : 0]
    if (Number(await this.#run(CREATE, this.#keysOf(uploadId), args)) === 1) return
    throw new Error(`RedisSessionStore: a session ${uploadId} already exists.`)
  }

  async #read(uploadId: string): Promise<string | undefined> {
    return replyText(await this.#run(GET, [this.#keys.session(uploadId)]))
  }

  /**
   * Reads the session ids shard by shard, each in one step, so a session that moves between the indices during the
   * listing is listed once.
   */
  async *#records(
    limit: string,
    choose: (indices: ShardIndices) => readonly string[],
  ): AsyncIterable<SessionRecord> {
    for (const indices of this.#keys.allIndices()) {
      const ids = replyTexts(await this.#run(LIST, choose(indices), [limit]))
      for (let start = 0; start < ids.length; start += RECORDS_PER_PAGE) {
        const page = ids.slice(start, start + RECORDS_PER_PAGE)
        const keys = [indices.open, indices.ended, ...page.map((id) => this.#keys.session(id))]
        for (const text of replyTexts(await this.#run(FETCH, keys, page))) {
          const record = parseSessionRecord(text)
          if (record) yield record
        }
      }
    }
  }

  /** A place that is not freed is noticed when the user reaches the maximum. */
  async #free(user: string | undefined, uploadId: string): Promise<void> {
    await this.#places.free(user, uploadId).catch(() => {})
  }

  #keysOf(uploadId: string): string[] {
    const { open, ended } = this.#keys.indices(uploadId)
    return [this.#keys.session(uploadId), open, ended]
  }

  #written(record: SessionRecord): (string | number)[] {
    return [
      recordLine(record),
      record.uploadId,
      record.lastActivity,
      hasEnded(record) ? ENDED_INDEX : OPEN_INDEX,
    ]
  }
}
