import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, expect, test } from '@jest/globals'
import type { CompletedUpload } from 'express-bits-upload'
import { uploadFile } from 'express-bits-upload/client'
import { findProgram } from '../../lib/cli/serve/on-upload/find-program.js'
import { onUploadProgram } from '../../lib/cli/serve/on-upload/on-upload-program.js'
import { fixtures } from '../support/fixtures.js'
import { FAST } from '../support/upload-fixture.js'
import { Command, Server } from './command.js'

const { directory, afterwards } = fixtures()

/** Creates an executable file with this content. */
async function program(content: string, name = 'program'): Promise<string> {
  const path = join(await directory(), name)
  await writeFile(path, content)
  await chmod(path, 0o755)
  return path
}

const script = (body: string) => program(`#!/bin/sh\n${body}\n`)

/** With a path, unless it is a stream. */
function upload(facts: Partial<CompletedUpload> = {}): CompletedUpload {
  return {
    session: {
      uploadId: 'abc',
      path: '/uploads/a.txt',
      user: 'alice',
      destination: 'a.txt',
      received: 5,
      total: 5,
      state: 'receiving',
      rate: 0,
      createdAt: new Date(0),
      lastActivity: new Date(0),
    },
    destination: 'a.txt',
    size: 5,
    ...(facts.read ? {} : { path: '/staged/file' }),
    signal: new AbortController().signal,
    read: () => Readable.from([Buffer.from('hello')]),
    ...facts,
  }
}

async function run(body: string, facts: Partial<CompletedUpload> = {}, flags: object = {}) {
  const made = await onUploadProgram({ onUpload: await script(body), ...flags })
  if (!made) throw new Error('There is no program.')
  return made.onUpload(upload(facts))
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20))
}

describe('--on-upload runs a program', () => {
  test('with the path as its last argument, and the upload described in its environment', async () => {
    const body =
      'printf "%s\\n" "$#" "$1" "$2" "$BITS_UPLOAD_ID" "$BITS_UPLOAD_DESTINATION" "$BITS_UPLOAD_SIZE" ' +
      '"$BITS_UPLOAD_USER" "$BITS_UPLOAD_URL_PATH" "$BITS_UPLOAD_FILE" "$BITS_UPLOAD_DIGEST"'
    const reply = await run(body, { destination: '--help/$(touch x);`y`' }, { onUploadArgument: ['--quiet'] })
    const facts = ['abc', '--help/$(touch x);`y`', '5', 'alice', '/uploads/a.txt', '/staged/file', '']
    expect(reply?.toString()).toBe(`${['2', '--quiet', '/staged/file', ...facts].join('\n')}\n`)
  })

  test('with the bytes as its standard input if the storage has no path', async () => {
    const reply = await run('cat; echo " $#"', { read: () => Readable.from([Buffer.from('hello')]) })
    expect(reply?.toString()).toBe('hello 0\n')
  })

  test('which need not read its input', async () => {
    const read = () => Readable.from(Array.from({ length: 64 }, () => Buffer.alloc(65_536)))
    expect(await run('exit 0', { read })).toBeUndefined()
  })

  test('and does not accept a part of the bytes as the whole file', async () => {
    const read = () =>
      Readable.from(
        (async function* () {
          yield Buffer.from('he')
          throw new Error('The disk failed.')
        })(),
      )
    await expect(run('cat >/dev/null; exit 0', { read })).rejects.toMatchObject({
      status: 503,
      message: '--on-upload: The disk failed.',
    })
  })

  test('65 refuses permanently, and any other exit code or signal is tried again later', async () => {
    await expect(run('exit 65')).rejects.toMatchObject({ code: 'access-denied' })
    await expect(run('exit 1')).rejects.toMatchObject({ status: 503 })
    await expect(run('exit 127')).rejects.toMatchObject({ status: 503 })
    await expect(run('kill -9 $$')).rejects.toMatchObject({
      status: 503,
      message: expect.stringMatching(/SIGKILL\.$/),
    })
  })

  test('kills one that never stops writing', async () => {
    await expect(run('exec yes')).rejects.toMatchObject({
      status: 503,
      message: expect.stringContaining('1048576 bytes'),
    })
  })

  test('kills one that takes too long', async () => {
    await expect(run('exec sleep 600', {}, { onUploadTimeout: 0.3 })).rejects.toMatchObject({
      status: 503,
      message: '--on-upload: The program took too long.',
    })
  })

  test('also kills the processes that it started, even if they ignore SIGTERM', async () => {
    const pids = join(await directory(), 'pids')
    const hang = `trap '' TERM; echo $$ >>"${pids}"; sleep 600; sleep 600`
    const made = await onUploadProgram({
      onUpload: await script(`(sh -c '${hang.replaceAll("'", '"')}') & ${hang}`),
    })
    const outcome = expect(made?.onUpload(upload())).rejects.toMatchObject({ status: 503 })
    const started = async () =>
      [...(await readFile(pids, 'utf8').catch(() => '')).matchAll(/\d+\n/g)].map(Number)
    await until(async () => (await started()).length === 2)
    made?.close()
    await outcome
    await until(async () => !(await started()).some(isAlive))
  })

  test.each(['the server stops', 'the lock of the session is lost'])('kills it when %s', async (event) => {
    const started = join(await directory(), 'started')
    const made = await onUploadProgram({ onUpload: await script(`echo $$ >"${started}"; exec sleep 600`) })
    const lost = new AbortController()
    const running = made?.onUpload(upload({ signal: lost.signal }))
    const outcome = expect(running).rejects.toMatchObject({ status: 503 })
    await until(async () => /\d\n/.test(await readFile(started, 'utf8').catch(() => '')))
    if (event === 'the server stops') made?.close()
    else lost.abort(new Error('The lock is lost.'))
    await outcome
    expect(isAlive(Number(await readFile(started, 'utf8')))).toBe(false)
  })

  test('never more of them at a time than allowed', async () => {
    const folder = await directory()
    const body = `mkdir "${folder}/running" || exit 65; sleep 0.05; rmdir "${folder}/running"`
    const made = await onUploadProgram({ onUpload: await script(body), onUploadConcurrency: 1 })
    const runs = Array.from({ length: 5 }, () => made?.onUpload(upload()))
    expect(await Promise.all(runs)).toEqual(Array(5).fill(undefined))
  })
})

describe('--on-upload refuses at the start', () => {
  test.each(['a.cmd', 'A.BAT', '/x/scan.ps1'])('%s, which needs a shell', async (name) => {
    await expect(findProgram(name)).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringContaining('cannot be run without a shell'),
    })
  })

  test('a program that does not exist, is a directory, or is not executable', async () => {
    const folder = await directory()
    await mkdir(join(folder, 'inner'))
    await writeFile(join(folder, 'plain'), '#!/bin/sh\n', { mode: 0o644 })
    for (const name of ['none', 'inner', 'plain']) {
      await expect(findProgram(join(folder, name))).rejects.toMatchObject({ exitCode: 1 })
    }
    await expect(findProgram('no-such-program-anywhere')).rejects.toThrow('there is no such program in PATH')
  })

  test('a script that names no interpreter', async () => {
    await expect(findProgram(await program('echo hello\n'))).rejects.toThrow('must name its interpreter')
  })

  test('on Windows, anything that is not .exe or .com', async () => {
    await expect(findProgram(await program('MZ\0', 'a.txt'), 'win32')).rejects.toThrow('only .exe and .com')
    const path = await program('MZ\0', 'b.exe')
    expect(await findProgram(path, 'win32')).toBe(path)
  })

  test('but finds one in PATH, though not in a relative entry of it', async () => {
    expect(await findProgram('sh')).toMatch(/^\/.*\/sh$/)
    await expect(findProgram('main.ts', 'linux', 'lib/cli')).rejects.toThrow('in PATH')
  })
})

describe('serve --on-upload', () => {
  test('gives the client a reply, and publishes only accepted files', async () => {
    const folder = await directory()
    const body = 'grep -q virus "$1" && exit 65; printf "checked %s" "$BITS_UPLOAD_DESTINATION"'
    const server = await Server.start(join(folder, 'in'), ['--on-upload', await script(body)])
    afterwards(() => server.kill('SIGKILL'))
    const send = (name: string, content: string) =>
      uploadFile(Buffer.from(content), `${server.origin}/${name}`, { ...FAST, retries: 0 })
    expect((await send('good.txt', 'hello')).reply?.toString()).toBe('checked good.txt')
    await expect(send('bad.txt', 'a virus')).rejects.toMatchObject({ status: 403 })
    expect((await readdir(join(folder, 'in'))).sort()).toEqual(['BITS-Sessions', 'good.txt'])
    expect(await server.stop()).toBe(0)
  })

  test('passes the checksum of --hash, which the server compares with that of send --digest', async () => {
    const folder = await directory()
    const program = await script('printf "%s" "$BITS_UPLOAD_DIGEST"')
    const server = await Server.start(join(folder, 'in'), ['--hash', 'sha256', '--on-upload', program])
    afterwards(() => server.kill('SIGKILL'))
    const file = join(folder, 'a.txt')
    await writeFile(file, 'hello')
    const send = new Command(['send', '--digest', 'sha512', file, `${server.origin}/`])
    expect(await send.exit).toBe(0)
    expect(send.stdout).toBe('sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824')
    const wrong = `Repr-Digest: sha-256=:${'A'.repeat(43)}=:`
    const refused = new Command(['send', '--header', wrong, file, `${server.origin}/b.txt`])
    expect(await refused.exit).toBe(3)
    expect((await readdir(join(folder, 'in'))).sort()).toEqual(['BITS-Sessions', 'a.txt'])
  })
})
