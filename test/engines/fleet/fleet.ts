import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  GetObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { type RunningProxy, startProxy } from '../../proxies/proxy.js'
import { freePort } from '../../support/ports.js'
import { type RedisEngine, startRedis } from '../redis.js'
import { clientOf, newBucket, type S3Engine } from '../s3-engine.js'
import { startSwift } from '../swift.js'
import { buildServer, type Program } from './build-servers.js'
import { FleetServer } from './fleet-server.js'

const HOSTS = ['127.0.0.2', '127.0.0.3', '127.0.0.4']
const PREFIX = 'in/'
/** Seconds. */
const CLEANUP_INTERVAL = 10

/** Servers behind nginx, which chooses one at random for each request, with files in S3 and sessions in Redis. */
export class Fleet {
  readonly servers: readonly FleetServer[]
  readonly redis: RedisEngine
  readonly #nginx: RunningProxy
  readonly #client: S3Client
  readonly #bucket: string
  readonly #stop: () => Promise<void>

  private constructor(parts: {
    servers: readonly FleetServer[]
    redis: RedisEngine
    nginx: RunningProxy
    client: S3Client
    bucket: string
    stop: () => Promise<void>
  }) {
    this.servers = parts.servers
    this.redis = parts.redis
    this.#nginx = parts.nginx
    this.#client = parts.client
    this.#bucket = parts.bucket
    this.#stop = parts.stop
  }

  static async start(program: Program): Promise<Fleet> {
    const cleanups: (() => unknown)[] = []
    const stop = async () => {
      for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
    }
    try {
      const s3 = await startSwift()
      cleanups.push(() => s3.stop())
      const redis = await startRedis('node')
      cleanups.push(() => redis.stop())
      const client = clientOf(s3)
      cleanups.push(() => client.destroy())
      const bucket = await newBucket(client)
      await keepVersions(client, bucket)
      const directory = await buildServer(program)
      cleanups.push(() => rm(directory, { recursive: true, force: true }))
      const port = await freePort()
      const url = `redis://127.0.0.1:${redis.nodes[0]?.port}`
      const env = { AWS_ACCESS_KEY_ID: s3.accessKeyId, AWS_SECRET_ACCESS_KEY: s3.secretAccessKey }
      const servers = HOSTS.map((host) => {
        const settings = { host, port, s3, bucket, url }
        const args = program === 'serve' ? serveArguments(settings) : appArguments(settings)
        return new FleetServer({ host, port, args: [join(directory, 'main.mjs'), ...args], env })
      })
      cleanups.push(() => Promise.all(servers.map((server) => server.stop())))
      await Promise.all(servers.map((server) => server.start()))
      const nginx = await startProxy('nginx', nginxFor(port), port)
      cleanups.push(() => nginx.stop())
      return new Fleet({ servers, redis, nginx, client, bucket, stop })
    } catch (error) {
      await stop()
      throw error
    }
  }

  /** The port for clients. */
  get port(): number {
    return this.#nginx.port
  }

  stop(): Promise<void> {
    return this.#stop()
  }

  /** How many objects were ever written at the destination of each file. */
  async publications(): Promise<ReadonlyMap<string, number>> {
    const counts = await countVersions(this.#client, this.#bucket, `${PREFIX}files/`)
    return new Map([...counts].map(([key, count]) => [key.slice(PREFIX.length), count]))
  }

  /** Names of the remaining staged objects. */
  async staged(): Promise<string[]> {
    const page = await this.#client.send(
      new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: `${PREFIX}BITS-Sessions/` }),
    )
    return (page.Contents ?? []).flatMap(({ Key = '' }) => (Key.includes('/probe') ? [] : [Key]))
  }

  async content(name: string): Promise<Uint8Array | undefined> {
    const { Body } = await this.#client.send(
      new GetObjectCommand({ Bucket: this.#bucket, Key: PREFIX + name }),
    )
    return Body?.transformToByteArray()
  }
}

/** Makes a bucket keep overwritten objects: a file that is published twice has two versions. */
async function keepVersions(client: S3Client, Bucket: string): Promise<void> {
  const VersioningConfiguration = { Status: 'Enabled' as const }
  await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }))
  const Key = 'written-twice'
  for (const Body of ['one', 'two']) await client.send(new PutObjectCommand({ Bucket, Key, Body }))
  const counts = await countVersions(client, Bucket, Key)
  if (counts.get(Key) !== 2) throw new Error('The service keeps no versions.')
}

async function countVersions(
  client: S3Client,
  Bucket: string,
  Prefix: string,
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>()
  let marker: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } = {}
  for (;;) {
    const page = await client.send(new ListObjectVersionsCommand({ Bucket, Prefix, ...marker }))
    for (const { Key = '' } of page.Versions ?? []) counts.set(Key, (counts.get(Key) ?? 0) + 1)
    if (!page.IsTruncated) return counts
    marker = { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker }
  }
}

interface ServerSettings {
  readonly host: string
  readonly port: number
  readonly s3: S3Engine
  readonly bucket: string
  readonly url: string
}

const serveArguments = ({ host, port, s3, bucket, url }: ServerSettings): string[] => [
  ...['serve', '--host', host, '--port', `${port}`, '--log-format', 'none'],
  ...['--s3-bucket', bucket, '--s3-prefix', PREFIX, '--s3-region', 'us-east-1'],
  ...['--s3-endpoint', s3.endpoint, '--s3-path-style', '--redis', url],
  ...['--cleanup-interval', `${CLEANUP_INTERVAL}s`],
]

const appArguments = ({ host, port, s3, bucket, url }: ServerSettings): string[] => [
  JSON.stringify({
    ...{ host, port, bucket, prefix: PREFIX, endpoint: s3.endpoint, redis: url },
    cleanupInterval: CLEANUP_INTERVAL,
  }),
]

/** nginx does not repeat requests, so that clients see the errors of a dead server. */
const nginxFor = (port: number): string => `upstream fleet {
  random;
  ${HOSTS.map((host) => `server ${host}:${port} max_fails=0;`).join(' ')}
  keepalive 16;
}
server {
  listen 80;
  location / {
    proxy_pass http://fleet;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_request_buffering off;
    proxy_next_upstream off;
    client_max_body_size 0;
    client_body_timeout 5m;
    proxy_connect_timeout 5s;
    proxy_read_timeout 5m;
    proxy_set_header Host $http_host;
  }
}`
