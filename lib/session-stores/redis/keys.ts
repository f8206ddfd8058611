import { createHash } from 'node:crypto'

/**
 * The keys in Redis. What is in braces decides the slot of a cluster: a session, its lock and the indices that list it are
 * in one slot, so that one script can change them together. Open sessions are counted per user, in a slot of the user's.
 */
export class RedisKeys {
  readonly #prefix: string
  readonly #shards: number

  constructor(prefix: string, shards: number) {
    this.#prefix = prefix
    this.#shards = shards
  }

  /** A hash: `r` the session as JSON, `c` whether it is counted, `l` holder of the lock, `u` until when, `w` wanted until. */
  session(uploadId: string): string {
    return `${this.#shard(shardOf(uploadId, this.#shards))}:${uploadId}`
  }

  /** Sorted sets of upload ids by last activity. */
  indices(uploadId: string): ShardIndices {
    return this.#indicesOf(shardOf(uploadId, this.#shards))
  }

  allIndices(): ShardIndices[] {
    return Array.from({ length: this.#shards }, (_, shard) => this.#indicesOf(shard))
  }

  /** A sorted set of the open sessions of a user, by the time at which they were last known to exist. */
  counted(user: string | undefined): string {
    const digest = user === undefined ? 'none' : createHash('sha256').update(user).digest('hex').slice(0, 32)
    return `${this.#prefix}:{user-${digest}}:sessions`
  }

  /** Written to check whether Redis accepts writes. */
  get probe(): string {
    return `${this.#shard(0)}:index:probe`
  }

  #indicesOf(shard: number): ShardIndices {
    const start = `${this.#shard(shard)}:index`
    return { open: `${start}:open`, ended: `${start}:ended` }
  }

  #shard(shard: number): string {
    return `${this.#prefix}:{${shard}}`
  }
}

export interface ShardIndices {
  readonly open: string
  readonly ended: string
}

/** By the last digits, which are random. Locks with other names are in the first shard. */
const shardOf = (uploadId: string, shards: number): number =>
  (Number.parseInt(uploadId.slice(-4), 16) || 0) % shards
