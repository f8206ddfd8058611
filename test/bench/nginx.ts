import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Connection } from './connection.js'
import { type Entry, end } from './contender.js'
import { put } from './send-file.js'
import type { Usage } from './servers/report-usage.js'

const PLACES = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']

/**
 * The DAV `PUT` of nginx, which is the speed to beat; `undefined` without nginx, or without `/proc` to read its usage
 * from.
 */
export function nginxEntry(): Entry | undefined {
  const program = PLACES.map((place) => join(place, 'nginx')).find((path) => existsSync(path))
  if (!program || !existsSync('/proc/self/schedstat')) return undefined
  return { name: 'nginx PUT', start: (directory) => start(program, directory) }
}

async function start(program: string, directory: string) {
  const scratch = `${directory}-nginx`
  await mkdir(scratch, { recursive: true })
  const port = await freePort()
  const file = join(scratch, 'nginx.conf')
  await writeFile(file, configuration(port, directory, scratch))
  const child = spawn(program, ['-p', scratch, '-c', file], { stdio: 'ignore' })
  const { pid } = child
  if (pid === undefined) throw new Error(`${program} did not start.`)
  await Promise.race([untilOpen(port), once(child, 'exit')])
  if (child.exitCode !== null)
    throw new Error(`${program} ended with ${child.exitCode}; does it have the DAV module?`)
  return { name: 'nginx PUT', port, send: put, directory, usage: () => usageOf(pid), stop: () => end(child) }
}

/** One process, as Node has one thread for JavaScript. Everything else is at its default. */
const configuration = (port: number, directory: string, scratch: string): string => `
daemon off;
master_process off;
pid ${scratch}/nginx.pid;
error_log ${scratch}/error.log;
events {}
http {
  access_log off;
  keepalive_requests 1000000;
  client_max_body_size 0;
  client_body_temp_path ${scratch}/body;
  proxy_temp_path ${scratch}/proxy;
  fastcgi_temp_path ${scratch}/fastcgi;
  uwsgi_temp_path ${scratch}/uwsgi;
  scgi_temp_path ${scratch}/scgi;
  server {
    listen 127.0.0.1:${port};
    location / {
      root ${directory};
      dav_methods PUT;
    }
  }
}
`

async function usageOf(pid: number): Promise<Usage> {
  const [nanoseconds = ''] = (await readFile(`/proc/${pid}/schedstat`, 'utf8')).split(' ')
  const peak = /^VmHWM:\s+(\d+) kB/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]
  return { cpu: Number(nanoseconds) / 1e9, peak: Number(peak) * 1024, longestTurn: 0 }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address ? address.port : 0
}

async function untilOpen(port: number): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    const connection = await Connection.open(port).catch(() => undefined)
    if (connection) return connection.close()
    await sleep(50)
  }
  throw new Error('nginx does not listen.')
}
