import { execFile } from 'node:child_process'
import { cp, mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, jest, test } from '@jest/globals'
import { createClient } from 'redis'
import { hasRedis, type RedisEngine, startRedis } from '../engines/redis.js'
import { bytes } from '../support/bytes.js'
import { describeWithEngine } from '../support/engines.js'
import { BUCKET, FakeS3 } from '../support/fake-s3/fake-s3.js'
import type { Rules } from '../support/fake-s3/rules.js'
import { fixtures } from '../support/fixtures.js'
import { bundledCommandLine } from '../support/programs/path.js'
import { closeSession, createSession, fragment } from '../support/raw.js'
import { until } from '../support/soak.js'
import { Command, type CommandOptions } from './command.js'

jest.setTimeout(180_000)

const { connect, directory, afterwards } = fixtures()
const ROOT = join(import.meta.dirname, '../..')
const PASSWORD = 'c0rrect-h0rse'
const CREDENTIALS = { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret-key' }

class FleetServer extends Command {
  port = 0

  static async start(flags: readonly string[], options: CommandOptions): Promise<FleetServer> {
    const server = new FleetServer(['serve', '--port', '0', ...flags], options)
    afterwards(() => server.kill('SIGKILL'))
    const [, port] = await server.until('stderr', /^Uploads to http:\/\/127\.0\.0\.1:(\d+)\//m)
    server.port = Number(port)
    return server
  }
}

async function startS3(rules: Partial<Rules> = {}): Promise<FakeS3> {
  const s3 = await FakeS3.start(rules)
  afterwards(() => s3.close())
  return s3
}

async function startRedisWithPassword(): Promise<RedisEngine & { port: number }> {
  const engine = await startRedis('node')
  afterwards(() => engine.stop())
  const port = engine.nodes[0]?.port ?? 0
  const client = await createClient({ url: `redis://127.0.0.1:${port}` }).connect()
  await client.configSet('requirepass', PASSWORD)
  client.destroy()
  return { ...engine, port }
}

const s3Flags = ({ endpoint }: FakeS3): string[] =>
  ['--s3-bucket', BUCKET, '--s3-prefix', 'inbox', '--s3-region', 'us-east-1'].concat([
    '--s3-endpoint',
    endpoint,
    '--s3-path-style',
  ])

async function ask(server: FleetServer | undefined, request: Buffer) {
  return (await connect(server ?? { port: 0 })).exchange(request)
}

describeWithEngine('serve with S3 and Redis', hasRedis, () => {
  test('two servers share uploads, keep passwords secret, and recover from an outage of Redis', async () => {
    const s3 = await startS3()
    const engine = await startRedisWithPassword()
    const host = `127.0.0.1:${engine.port}`
    const servers = await Promise.all([
      FleetServer.start([...s3Flags(s3), '--redis', `redis://:${PASSWORD}@${host}`, '--verbose'], {
        env: CREDENTIALS,
      }),
      FleetServer.start([...s3Flags(s3), '--redis', `redis://${host}`, '--verbose', '--health'], {
        env: { ...CREDENTIALS, REDIS_PASSWORD: PASSWORD },
      }),
    ])
    const [one, other] = servers
    const file = bytes(300_000)
    const path = '/logs/today.zip'
    const id = (await ask(one, createSession(path))).header('BITS-Session-Id') ?? ''
    const first = await ask(other, fragment(path, id, file, 0, 99_999))
    expect([first.status, first.header('BITS-Received-Content-Range')]).toEqual([200, '100000'])
    expect(s3.objects.keys.filter((key) => key.startsWith('inbox/BITS-Sessions/')).length).toBeGreaterThan(0)
    expect(s3.objects.keys.filter((key) => !key.startsWith('inbox/'))).toEqual([])

    await engine.nodes[0]?.end('SIGKILL')
    const refused = await ask(one, fragment(path, id, file, 100_000, 199_999))
    expect([refused.status, refused.header('BITS-Received-Content-Range')]).toEqual([503, undefined])
    await one?.until('stderr', /^warning: Redis: /m)
    await engine.nodes[0]?.start()
    await until(async () => {
      const again = await ask(one, fragment(path, id, file, 100_000, 199_999))
      return again.status === 200
    }, 60_000)
    await one?.until('stderr', /^Redis is available again\.$/m)

    // Each server has a connection of its own, and reconnects in its own time.
    await until(async () => {
      const last = await ask(other, fragment(path, id, file, 200_000))
      const isAvailable = last.status !== 503
      expect(last.header('BITS-Received-Content-Range')).toBe(isAvailable ? '300000' : undefined)
      return isAvailable
    }, 60_000)
    expect((await ask(one, closeSession(path, id))).status).toBe(200)
    expect(s3.objects.find('inbox/logs/today.zip')?.bytes.equals(file)).toBe(true)
    expect(s3.objects.keys).toEqual(['inbox/logs/today.zip'])
    // There is no directory to serve files from.
    expect((await fetch(`http://127.0.0.1:${one?.port}${path}`)).status).toBe(404)
    for (const server of servers) {
      server.kill('SIGTERM')
      expect(await server.exit).toBe(0)
      expect(server.stderr).toContain('Unfinished uploads continue at the next start.')
      expect(server.stdout + server.stderr).not.toMatch(new RegExp(`${PASSWORD}|secret-key`))
    }
  })

  test('one of two uploads to the same name wins, even if the service ignores conditions', async () => {
    const s3 = await startS3({ put: 'ignored', copy: 'ignored', complete: 'ignored' })
    // Long enough for the other server to check the destination, if it does not wait.
    s3.trouble = async ({ operation }) => {
      if (operation === 'CopyObject') await delay(1000)
      return undefined
    }
    const engine = await startRedisWithPassword()
    const flags = [...s3Flags(s3), '--redis', `redis://:${PASSWORD}@127.0.0.1:${engine.port}/`]
    const servers = await Promise.all([1, 2].map(() => FleetServer.start(flags, { env: CREDENTIALS })))
    const file = bytes(5000)
    const ids = await Promise.all(
      servers.map(async (server) => (await ask(server, createSession('/a'))).header('BITS-Session-Id') ?? ''),
    )
    const acks = await Promise.all(
      servers.map((server, n) => ask(server, fragment('/a', ids[n] ?? '', file))),
    )
    expect(acks.map(({ status }) => status).sort()).toEqual([200, 403])
    for (const server of servers) expect(server.stderr).not.toContain('BITS_S3_UNCONDITIONAL')
  })

  test.each(['copy', 'stream'])('--s3-assemble %s decides who assembles a file', async (how) => {
    const s3 = await startS3()
    const server = await FleetServer.start([...s3Flags(s3), '--s3-assemble', how], { env: CREDENTIALS })
    // The first segment is large enough to be copied as a part.
    const file = bytes(5 * 1024 * 1024 + 100_000)
    const id = (await ask(server, createSession('/a'))).header('BITS-Session-Id') ?? ''
    await ask(server, fragment('/a', id, file, 0, file.length - 100_001))
    expect((await ask(server, fragment('/a', id, file, file.length - 100_000))).status).toBe(200)
    expect((await ask(server, closeSession('/a', id))).status).toBe(200)
    expect(s3.objects.find('inbox/a')?.bytes.equals(file)).toBe(true)
    const isCopied = s3.received.some(({ operation }) => operation === 'UploadPartCopy')
    expect(isCopied).toBe(how === 'copy')
    server.kill('SIGTERM')
    expect(await server.exit).toBe(0)
  })

  test('a server without Redis warns that sessions are lost at a restart, and does not start without its services', async () => {
    const s3 = await startS3()
    const server = await FleetServer.start(s3Flags(s3), { env: CREDENTIALS })
    expect(server.stderr).toContain(`go to s3://${BUCKET}/inbox/`)
    expect(server.stderr).toMatch(/^warning: sessions end with this server.*--redis\.$/m)
    server.kill('SIGTERM')
    expect(await server.exit).toBe(0)
    expect(server.stderr).toContain('Unfinished uploads start over.')

    const engine = await startRedisWithPassword()
    const endsWith = async (words: readonly string[], env: Record<string, string> = CREDENTIALS) => {
      const command = new Command(['serve', '--port', '0', ...words], { env })
      const exitCode = await command.exit
      expect(command.stdout + command.stderr).not.toMatch(new RegExp(`${PASSWORD}|secret-key`))
      return [exitCode, command.stderr.trim()]
    }
    const wrongPassword = `redis://:${PASSWORD}-no@127.0.0.1:${engine.port}`
    expect(await endsWith([...s3Flags(s3), '--redis', wrongPassword])).toEqual([
      1,
      expect.stringMatching(
        /^error: cannot keep sessions in redis:\/\/…@127\.0\.0\.1:\d+: WRONGPASS .*[^.]\.$/m,
      ),
    ])
    await engine.stop()
    expect(await endsWith([...s3Flags(s3), '--redis', wrongPassword])).toEqual([
      1,
      expect.stringMatching(/^error: cannot keep sessions in .*: connect ECONNREFUSED .*$/m),
    ])
    expect(await endsWith([...s3Flags(s3), '--s3-bucket', 'missing'])).toEqual([
      1,
      expect.stringMatching(
        /^error: cannot keep uploads in s3:\/\/missing\/inbox\/: .*NoSuchBucket.*[^.]\.$/m,
      ),
    ])
    const noRegion = s3Flags(s3).filter((word) => !['--s3-region', 'us-east-1'].includes(word))
    const env = { ...CREDENTIALS, AWS_REGION: '', AWS_CONFIG_FILE: '/dev/null' }
    expect(await endsWith(noRegion, env)).toEqual([
      2,
      expect.stringMatching(/^error: the region of the bucket is unknown: use --s3-region, or AWS_REGION/m),
    ])
  })
})

test('a missing package is named, with the command that installs it', async () => {
  const folder = await directory()
  // Installs the command line here, with all packages but two.
  await cp(dirname(bundledCommandLine()), join(folder, 'dist'), { recursive: true })
  await cp(join(ROOT, 'package.json'), join(folder, 'package.json'))
  await mkdir(join(folder, 'node_modules'))
  for (const name of await readdir(join(ROOT, 'node_modules'))) {
    if (!['redis', '@aws-sdk'].includes(name))
      await symlink(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name))
  }
  // The user does not control the contents of a working directory, so nothing in it may be run.
  const cwd = join(folder, 'uploads')
  for (const name of ['redis', '@aws-sdk/client-s3']) {
    await mkdir(join(cwd, 'node_modules', name), { recursive: true })
    await writeFile(
      join(cwd, 'node_modules', name, 'index.js'),
      'console.log("run from the working directory")',
    )
  }
  const run = (...words: string[]) =>
    new Promise<string>((resolve) => {
      const args = [join(folder, 'dist/cli.js'), 'serve', ...words]
      execFile(process.execPath, args, { cwd }, (error, stdout, stderr) =>
        resolve(`${error?.code ?? 0} ${stdout}${stderr}`),
      )
    })
  expect(await run('--s3-bucket', 'b', '--check')).toMatch(
    /^1 error: --s3-bucket needs the package @aws-sdk\/client-s3: run "npm install @aws-sdk\/client-s3@3" where /,
  )
  expect(await run('in', '--redis', 'redis://h', '--check')).toMatch(
    /^1 error: --redis needs the package redis: run "npm install redis@6" where .*"npm install --global redis@6" /,
  )
  // Without these flags, neither package is loaded.
  expect(await run('in', '--check')).toMatch(/^0 .*^directory /ms)
})
