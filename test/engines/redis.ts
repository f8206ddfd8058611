import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../support/ports.js'
import { EngineProcess } from './engine-process.js'

/** Debian's package redis-server. */
export const hasRedis = (): boolean =>
  ['redis-server', 'redis-cli'].every((program) => existsSync(join('/usr/bin', program)))

export const TOPOLOGIES = ['node', 'cluster'] as const
export type Topology = (typeof TOPOLOGIES)[number]

export interface RedisEngine {
  readonly topology: Topology
  /** A single node, or three masters of a cluster. */
  readonly nodes: readonly EngineProcess[]
  stop(): Promise<void>
}

export async function startRedis(topology: Topology): Promise<RedisEngine> {
  const directory = await mkdtemp(join(tmpdir(), 'bits-redis-'))
  const nodes: EngineProcess[] = []
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.end('SIGKILL')))
    await rm(directory, { recursive: true, force: true })
  }
  try {
    for (let n = 0; n < (topology === 'cluster' ? 3 : 1); n++) {
      const node = await newNode(join(directory, `${n}`), topology)
      nodes.push(node)
      await node.start()
    }
    if (topology === 'cluster') await joinNodes(nodes)
    return { topology, nodes, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function newNode(directory: string, topology: Topology): Promise<EngineProcess> {
  await mkdir(directory)
  const [port, bus] = [await freePort(), await freePort()]
  const cluster = ['--cluster-enabled', 'yes', '--cluster-port', `${bus}`]
  const settings = ['--bind', '127.0.0.1', '--port', `${port}`, '--dir', directory, '--save', '']
  // As docs/redis.md recommends. Fsync at each write compensates for the kills in the tests.
  const durable = ['--appendonly', 'yes', '--appendfsync', 'always', '--maxmemory-policy', 'noeviction']
  const args = [...settings, ...durable, ...(topology === 'cluster' ? cluster : [])]
  return new EngineProcess({ port, command: '/usr/bin/redis-server', args })
}

async function joinNodes(nodes: readonly EngineProcess[]): Promise<void> {
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`)
  execFileSync('/usr/bin/redis-cli', ['--cluster', 'create', ...addresses, '--cluster-yes'], {
    stdio: 'pipe',
    timeout: 60_000,
  })
  for (const { port } of nodes) {
    while (!cli(port, 'cluster', 'info').includes('cluster_state:ok')) {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

const cli = (port: number, ...args: string[]): string =>
  execFileSync('/usr/bin/redis-cli', ['-p', `${port}`, ...args], { encoding: 'utf8', timeout: 10_000 })
