import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../support/ports.js'
import { ProcessGroup } from './process-group.js'
import type { S3Engine } from './s3-engine.js'

const PROGRAMS = ['ceph-mon', 'ceph-mgr', 'ceph-osd', 'radosgw', 'ceph', 'radosgw-admin']

/** Debian's packages ceph-mon, ceph-mgr, ceph-osd, radosgw and ceph-common; it runs as root. */
export const hasRadosgw = (): boolean => PROGRAMS.every((program) => existsSync(`/usr/bin/${program}`))

const GIB = 1024 ** 3
/** Memory of the store. radosgw hangs when it is full. */
const STORE_SIZE = 4 * GIB
const ENTITIES = ['mon.', 'client.admin', 'mgr.x', 'osd.0', 'client.rgw.a']
const CAPABILITIES = ['mon', 'osd', 'mgr', 'mds'].flatMap((name) => ['--cap', name, 'allow *'])
const AS_ROOT = ['--setuser', 'root', '--setgroup', 'root']

/** Ceph's object gateway with one OSD in memory. It ignores the conditions of copies and completions. */
export async function startRadosgw(): Promise<S3Engine> {
  const group = await ProcessGroup.create('ceph', (directory) => ({
    CEPH_CONF: join(directory, 'ceph.conf'),
  }))
  try {
    return { ...(await start(group)), stop: () => group.stop() }
  } catch (error) {
    await group.stop()
    throw error
  }
}

async function start(group: ProcessGroup): Promise<Omit<S3Engine, 'stop'>> {
  const { directory } = group
  const ports = { mon: await freePort(), gateway: await freePort() }
  const id = randomUUID()
  for (const name of ['mon', 'osd', 'mgr', 'rgw']) await mkdir(join(directory, name))
  await writeFile(join(directory, 'ceph.conf'), configuration(directory, id, ports))
  group.run('monmaptool', '--create', '--addv', 'a', `[v2:127.0.0.1:${ports.mon}]`, '--fsid', id, 'monmap')
  for (const [n, entity] of ENTITIES.entries()) {
    const create = n === 0 ? ['--create-keyring'] : []
    group.run('ceph-authtool', 'keyring', ...create, '--gen-key', '-n', entity, ...CAPABILITIES)
  }
  group.run('ceph-mon', '--mkfs', '-i', 'a', '--monmap', 'monmap', '--keyring', 'keyring', ...AS_ROOT)
  await group.start(ports.mon, 'ceph-mon', '-i', 'a', '-f', ...AS_ROOT)
  await group.start(undefined, 'ceph-mgr', '-i', 'x', '-f', ...AS_ROOT)
  const osd = randomUUID()
  group.run('ceph', 'osd', 'new', osd)
  group.run('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', osd, ...AS_ROOT)
  await group.start(undefined, 'ceph-osd', '-i', '0', '-f', ...AS_ROOT)
  await group.start(ports.gateway, 'radosgw', '-n', 'client.rgw.a', '-f', ...AS_ROOT)
  group.run(
    'radosgw-admin',
    'user',
    'create',
    '--uid=t',
    '--display-name=t',
    '--access-key=key',
    '--secret=secret',
  )
  return { endpoint: `http://127.0.0.1:${ports.gateway}`, accessKeyId: 'key', secretAccessKey: 'secret' }
}

const configuration = (
  directory: string,
  id: string,
  ports: { mon: number; gateway: number },
): string => `[global]
fsid = ${id}
mon host = v2:127.0.0.1:${ports.mon}
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon max pg per osd = 2000
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = ${STORE_SIZE}
run dir = ${directory}
admin socket = ${directory}/$name.asok
log file = ${directory}/$name.log
mon data = ${directory}/mon
osd data = ${directory}/osd
mgr data = ${directory}/mgr
keyring = ${directory}/keyring
mon data avail crit = 1
mon warn on insecure global id reclaim allowed = false
rgw frontends = beast endpoint=127.0.0.1:${ports.gateway}
rgw enable usage log = false
rgw gc obj min wait = 5
rgw gc processor period = 5
rgw gc processor max time = 5
rgw data = ${directory}/rgw
`
