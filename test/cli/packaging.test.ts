import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, jest, test } from '@jest/globals'
import { parse } from 'yaml'
import { runCli } from '../../lib/cli/run-cli.js'
import { block } from '../docs/blocks.js'

const ROOT = join(import.meta.dirname, '../..')
const run = promisify(execFile)

describe('the systemd unit', () => {
  const UNIT = join(ROOT, 'lib/cli/express-bits-upload.service')

  test('is valid for systemd, and runs without root', async () => {
    const unit = await readFile(UNIT, 'utf8')
    const start = 'ExecStart=/usr/bin/env express-bits-upload serve %S/bits-uploads $SERVE_OPTIONS'
    expect(unit).toContain(`\n${start}\n`)
    const { stdout, stderr } = await run('systemd-analyze', ['verify', '--man=no', UNIT])
    expect(stdout + stderr).toBe('')
    expect(unit).toMatch(/^DynamicUser=yes$/m)
    // V8 calls pkey_alloc when it starts. @system-service does not include it, so Node would be killed.
    expect(unit).toMatch(/^SystemCallFilter=@system-service @pkey$/m)
    expect(unit).toMatch(/^SystemCallErrorNumber=EPERM$/m)
    expect(unit).toMatch(/^StateDirectory=bits-uploads$/m)
  })

  test('waits longer than running requests may take', async () => {
    const unit = await readFile(UNIT, 'utf8')
    const command = await readFile(join(ROOT, 'lib/cli/serve/option-groups/server.ts'), 'utf8')
    const grace = /'--grace <time>',[^)]*\bduration,\s*(\d+)/.exec(command)
    expect(grace).not.toBeNull()
    const wait = /^TimeoutStopSec=(\d+)$/m.exec(unit)
    expect(Number(wait?.[1])).toBeGreaterThan(Number(grace?.[1]))
  })
})

describe('the Dockerfile', () => {
  test('runs serve without root, as process 1', async () => {
    const text = await readFile(join(ROOT, 'Dockerfile'), 'utf8')
    const lines = text.split('\n').filter((line) => /^[A-Z]+ /.test(line))
    const last = lines.slice(lines.findLastIndex((line) => line.startsWith('FROM')))
    expect(last.find((line) => line.startsWith('USER'))).toBe('USER 1000')
    expect(last.findIndex((line) => line.startsWith('USER'))).toBeGreaterThan(
      last.findLastIndex((line) => /^(?:RUN|COPY)/.test(line)),
    )
    const entry: unknown = JSON.parse(last.find((line) => line.startsWith('ENTRYPOINT'))?.slice(11) ?? '')
    expect(entry).toEqual(['node', '/app/dist/cli.js', 'serve', '/uploads', '--host', '0.0.0.0', '--health'])
    expect(last.some((line) => line.startsWith('VOLUME /uploads'))).toBe(true)
  })

  test('has a stage with the libraries of S3 and Redis, which runs without root and without a volume', async () => {
    const text = await readFile(join(ROOT, 'Dockerfile'), 'utf8')
    const { peerDependencies } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
    const stages = new Map(text.split(/^FROM /m).map((stage) => [/ AS (\S+)/.exec(stage)?.[1], stage]))
    const added = [...(stages.get('fleet-modules') ?? '').matchAll(/"dependencies\.([^=]+)=(\d+)"/g)]
    expect(added.map(([, name]) => name)).toEqual(['@aws-sdk/client-s3', 'redis'])
    for (const [, name = '', major] of added) expect(peerDependencies[name]).toMatch(`^${major}.0.0`)
    const stage = stages.get('fleet') ?? ''
    expect(stage).toContain('COPY --from=fleet-modules /app/node_modules node_modules\nUSER 1000\n')
    expect(stage).not.toContain('VOLUME')
    const [, entry = ''] = /^ENTRYPOINT (.*)$/m.exec(stage) ?? []
    expect(JSON.parse(entry)).toEqual(['node', '/app/dist/cli.js', 'serve', '--host', '0.0.0.0', '--health'])
  })

  test('its health check fails for a server that is not ready, or does not answer, and for no other', async () => {
    const text = await readFile(join(ROOT, 'Dockerfile'), 'utf8')
    const [, command = ''] = /^HEALTHCHECK .*\\\n *CMD (.*)$/m.exec(text) ?? []
    const [, ...args]: string[] = JSON.parse(command)
    let status = 200
    const server = createServer((_req, res) => res.writeHead(status).end()).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const isHealthy = () =>
      run(
        process.execPath,
        args.map((arg) => arg.replace(':8080/', `:${port}/`)),
      ).then(
        () => true,
        () => false,
      )
    try {
      expect(await isHealthy()).toBe(true)
      // A server that requires passwords is healthy, too.
      status = 401
      expect(await isHealthy()).toBe(true)
      status = 503
      expect(await isHealthy()).toBe(false)
    } finally {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    }
    expect(await isHealthy()).toBe(false)
  })

  test('copies only what the build context contains', async () => {
    const text = await readFile(join(ROOT, 'Dockerfile'), 'utf8')
    const ignored = await readFile(join(ROOT, '.dockerignore'), 'utf8')
    const copied = [...text.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, names = '']) =>
      names.split(' '),
    )
    expect(copied).toContain('lib')
    for (const name of copied) expect(ignored.split('\n')).toContain(`!${name}`)
  })
})

describe('compose.yaml', () => {
  const read = async () => parse(await readFile(join(ROOT, 'compose.yaml'), 'utf8'))

  test('runs several servers of the stage "fleet", with options that exist', async () => {
    const { services } = await read()
    const { build, command, deploy, stop_grace_period: grace } = services.server
    expect(build).toEqual({ context: '.', target: 'fleet' })
    expect(deploy.replicas).toBeGreaterThan(1)
    expect(Number.parseInt(grace, 10)).toBeGreaterThan(30)
    const words = command.map((word: string) => word.replace(/^\$\{BUCKET:.*\}$/, 'uploads'))
    const write = jest.spyOn(process.stdout, 'write').mockReturnValue(true)
    try {
      const exitCode = await runCli([
        'node',
        'x',
        'serve',
        '--host',
        '0.0.0.0',
        '--health',
        ...words,
        '--check',
      ])
      expect(exitCode).toBe(0)
      expect(write.mock.calls.join('')).toMatch(/^--s3-bucket +uploads$/m)
    } finally {
      write.mockRestore()
    }
  })

  test('is started as documented, with what its services need', async () => {
    const { services, configs, volumes } = await read()
    const text = await readFile(join(ROOT, 'compose.yaml'), 'utf8')
    const { text: line } = block('sh', { in: 'docs/scaling.md#S3 and Redis', containing: 'docker compose' })
    expect(text).toContain(`#   ${line}`)
    const [, host = ''] = /redis:\/\/(\w+):6379/.exec(services.server.command.join(' ')) ?? []
    expect(services[host].command).toEqual(expect.arrayContaining(['--appendonly', 'noeviction']))
    for (const volume of services[host].volumes) expect(volumes).toHaveProperty(volume.split(':')[0])
    for (const { source } of services.proxy.configs) expect(configs).toHaveProperty(source)
  })

  test('nginx has the documented settings, and Compose does not replace its variables', async () => {
    const { configs } = await read()
    const content: string = configs.nginx.content
    expect(content).not.toMatch(/(?<!\$)\$(?!\$)/)
    const lines = (config: string) => config.split('\n').map((line) => line.replace(/ *#.*/, '').trim())
    const documented = lines(block('nginx', { in: 'docs/deployment.md#nginx' }).text)
    const settings = documented.filter((line) => /^(?:proxy|client)_/.test(line))
    expect(settings.length).toBeGreaterThan(5)
    expect(lines(content.replaceAll('$$', '$'))).toEqual(expect.arrayContaining(settings))
  })
})
