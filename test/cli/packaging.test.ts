import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from '@jest/globals'
import { fixtures } from '../support/fixtures.js'

const { directory } = fixtures()
const ROOT = join(import.meta.dirname, '../..')
const run = promisify(execFile)

describe('the systemd unit', () => {
  const UNIT = join(ROOT, 'lib/cli/express-bits-upload.service')

  test('is understood by systemd, and runs without root', async () => {
    const unit = await readFile(UNIT, 'utf8')
    const program = '/usr/local/bin/express-bits-upload'
    expect(unit).toContain(`\nExecStart=${program} serve %S/bits-uploads $SERVE_OPTIONS\n`)
    // systemd wants the program to be there.
    const copy = join(await directory(), 'express-bits-upload.service')
    await writeFile(copy, unit.replace(program, process.execPath))
    const { stdout, stderr } = await run('systemd-analyze', ['verify', '--man=no', copy])
    expect(stdout + stderr).toBe('')
    expect(unit).toMatch(/^DynamicUser=yes$/m)
    expect(unit).toMatch(/^StateDirectory=bits-uploads$/m)
  })

  test('waits longer than running requests may take', async () => {
    const unit = await readFile(UNIT, 'utf8')
    const command = await readFile(join(ROOT, 'lib/cli/serve/command.ts'), 'utf8')
    const grace = /'--grace <time>'[^)]*duration, (\d+)\)/.exec(command)
    const wait = /^TimeoutStopSec=(\d+)$/m.exec(unit)
    expect(Number(wait?.[1])).toBeGreaterThan(Number(grace?.[1]))
  })
})

describe('the Dockerfile', () => {
  test('runs serve without root, as the first process of its own', async () => {
    const text = await readFile(join(ROOT, 'Dockerfile'), 'utf8')
    const lines = text.split('\n').filter((line) => /^[A-Z]+ /.test(line))
    const last = lines.slice(lines.findLastIndex((line) => line.startsWith('FROM')))
    expect(last.find((line) => line.startsWith('USER'))).toBe('USER node')
    expect(last.findIndex((line) => line.startsWith('USER'))).toBeGreaterThan(
      last.findLastIndex((line) => /^(?:RUN|COPY)/.test(line)),
    )
    const entry: unknown = JSON.parse(last.find((line) => line.startsWith('ENTRYPOINT'))?.slice(11) ?? '')
    expect(entry).toEqual(['node', '/app/dist/cli.js', 'serve', '/uploads', '--host', '0.0.0.0'])
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
