import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from '@jest/globals'

const ROOT = join(import.meta.dirname, '../..')
const run = promisify(execFile)

describe('the systemd unit', () => {
  const UNIT = join(ROOT, 'lib/cli/express-bits-upload.service')

  test('is understood by systemd, and runs without root', async () => {
    const unit = await readFile(UNIT, 'utf8')
    const start = 'ExecStart=/usr/bin/env express-bits-upload serve %S/bits-uploads $SERVE_OPTIONS'
    expect(unit).toContain(`\n${start}\n`)
    const { stdout, stderr } = await run('systemd-analyze', ['verify', '--man=no', UNIT])
    expect(stdout + stderr).toBe('')
    expect(unit).toMatch(/^DynamicUser=yes$/m)
    // V8 calls pkey_alloc at its start, which is not among @system-service: Node would be killed.
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
  test('runs serve without root, as the first process of its own', async () => {
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

  test('is given what it copies', async () => {
    const text = await readFile(join(ROOT, 'Dockerfile'), 'utf8')
    const ignored = await readFile(join(ROOT, '.dockerignore'), 'utf8')
    const copied = [...text.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, names = '']) =>
      names.split(' '),
    )
    expect(copied).toContain('lib')
    for (const name of copied) expect(ignored.split('\n')).toContain(`!${name}`)
  })
})
