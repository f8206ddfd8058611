import { fromIoredis, fromRedis, type RedisConnection } from 'express-bits-upload/redis'
import { Cluster, Redis } from 'ioredis'
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5'
import { createClient, createCluster } from 'redis'
import { createClient as createClient5, createCluster as createCluster5 } from 'redis5'
import type { RedisEngine } from './redis.js'

export interface ConnectedClient {
  readonly connection: RedisConnection
  close(): unknown
}

const host = '127.0.0.1'
/** Commands report connection errors, too. */
const ignore = () => {}

/** All supported clients, created as users do. */
export const CLIENTS: Readonly<Record<string, (engine: RedisEngine) => Promise<ConnectedClient>>> = {
  'node-redis 6': async ({ topology, nodes }) => {
    const [root = { url: '' }] = urls(nodes)
    if (topology === 'cluster') {
      const client = createCluster({ rootNodes: [root] }).on('error', ignore)
      await client.connect()
      return { connection: fromRedis(client), close: () => client.destroy() }
    }
    const client = createClient(root).on('error', ignore)
    await client.connect()
    return { connection: fromRedis(client), close: () => client.destroy() }
  },

  'node-redis 5': async ({ topology, nodes }) => {
    const [root = { url: '' }] = urls(nodes)
    if (topology === 'cluster') {
      const client = createCluster5({ rootNodes: [root] }).on('error', ignore)
      await client.connect()
      return { connection: fromRedis(client), close: () => client.destroy() }
    }
    const client = createClient5(root).on('error', ignore)
    await client.connect()
    return { connection: fromRedis(client), close: () => client.destroy() }
  },

  'ioredis 6': async ({ topology, nodes }) => {
    const [root = { host, port: 0 }] = addresses(nodes)
    const client = topology === 'cluster' ? new Cluster([root]) : new Redis(root)
    client.on('error', ignore)
    return { connection: fromIoredis(client), close: () => client.disconnect() }
  },

  'ioredis 5': async ({ topology, nodes }) => {
    const [root = { host, port: 0 }] = addresses(nodes)
    const client = topology === 'cluster' ? new Cluster5([root]) : new Redis5(root)
    client.on('error', ignore)
    return { connection: fromIoredis(client), close: () => client.disconnect() }
  },
}

const urls = (nodes: RedisEngine['nodes']) => nodes.map(({ port }) => ({ url: `redis://${host}:${port}` }))
const addresses = (nodes: RedisEngine['nodes']) => nodes.map(({ port }) => ({ host, port }))
