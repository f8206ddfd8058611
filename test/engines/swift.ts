import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../support/ports.js'
import { ProcessGroup } from './process-group.js'
import type { S3Engine } from './s3-engine.js'

const PROGRAMS = [
  '/usr/bin/memcached',
  ...['proxy', 'account', 'container', 'object'].map((name) => `/usr/bin/swift-${name}-server`),
]

/** Debian's packages memcached, swift-proxy, swift-account, swift-container, swift-object and python3-lxml. */
export const hasSwift = (): boolean => PROGRAMS.every((program) => existsSync(program))

/** Runs a program of Swift with the configuration in a directory, instead of the one in /etc/swift. */
const LAUNCHER = `import runpy, sys
from swift.common import utils
utils.set_swift_dir(sys.argv[1])
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name='__main__')`

const SWIFT_CONF = `[swift-hash]
swift_hash_path_suffix = tests
swift_hash_path_prefix = tests
[swift-constraints]
max_header_size = 8192
[storage-policy:0]
name = gold
default = yes
`

/** OpenStack Swift with its s3api and single replicas. It refuses conditional writes. */
export async function startSwift(): Promise<S3Engine> {
  const group = await ProcessGroup.create('swift')
  try {
    return { ...(await start(group)), stop: () => group.stop() }
  } catch (error) {
    await group.stop()
    throw error
  }
}

async function start(group: ProcessGroup): Promise<Omit<S3Engine, 'stop'>> {
  const { directory } = group
  await mkdir(join(directory, 'srv', 'd1'), { recursive: true })
  await writeFile(join(directory, 'swift.conf'), SWIFT_CONF)
  const memcached = await freePort()
  await group.start(
    memcached,
    '/usr/bin/memcached',
    '-u',
    userInfo().username,
    '-l',
    '127.0.0.1',
    '-p',
    `${memcached}`,
    '-U',
    '0',
  )
  for (const name of ['account', 'container', 'object']) {
    const port = await freePort()
    const builder = join(directory, `${name}.builder`)
    group.run('swift-ring-builder', builder, 'create', '6', '1', '1')
    group.run('swift-ring-builder', builder, 'add', `r1z1-127.0.0.1:${port}/d1`, '1')
    group.run('swift-ring-builder', builder, 'rebalance')
    await startServer(group, name, port, backend(name, port, directory))
  }
  const port = await freePort()
  await startServer(group, 'proxy', port, proxy(port, memcached, directory))
  return { endpoint: `http://127.0.0.1:${port}`, accessKeyId: 'test:tester', secretAccessKey: 'testing' }
}

async function startServer(
  group: ProcessGroup,
  name: string,
  port: number,
  configuration: string,
): Promise<void> {
  const { directory } = group
  const file = join(directory, `${name}.conf`)
  await writeFile(file, configuration)
  await group.start(
    port,
    '/usr/bin/python3',
    '-c',
    LAUNCHER,
    directory,
    `/usr/bin/swift-${name}-server`,
    file,
  )
}

const backend = (name: string, port: number, directory: string): string => `[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${port}
devices = ${directory}/srv
mount_check = false
user = ${userInfo().username}
swift_dir = ${directory}
workers = 0
log_address = /nonexistent
disable_fallocate = true
[pipeline:main]
pipeline = ${name}-server
[app:${name}-server]
use = egg:swift#${name}
`

const proxy = (port: number, memcached: number, directory: string): string => `[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${port}
user = ${userInfo().username}
workers = 0
swift_dir = ${directory}
log_address = /nonexistent
[pipeline:main]
pipeline = catch_errors gatekeeper proxy-logging cache listing_formats bulk s3api tempauth slo dlo versioned_writes symlink proxy-logging proxy-server
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:proxy-logging]
use = egg:swift#proxy_logging
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:${memcached}
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:s3api]
use = egg:swift#s3api
s3_acl = false
location = us-east-1
dns_compliant_bucket_names = yes
check_bucket_owner = false
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:slo]
use = egg:swift#slo
# Swift slows the reading of objects that consist of many segments.
rate_limit_after_segment = 10000
[filter:dlo]
use = egg:swift#dlo
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_object_versioning = true
[filter:symlink]
use = egg:swift#symlink
`
