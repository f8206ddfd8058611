import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, expect, test } from '@jest/globals'
import { Authority } from '../support/certificates.js'
import { freePort, untilListening } from '../support/ports.js'
import { bundledCommandLine } from '../support/programs/path.js'
import { block } from './blocks.js'
import { ROOT } from './temp-project.js'
import { FILE, useTempProject } from './use-temp-project.js'

const temp = useTempProject()
const PAGE = 'docs/command-line.md'
/** The hash of "correct horse" from `htpasswd -nbB`. */
const USER = 'alice:$2y$05$Vz/g63LtXKXpTN9uPzCLA.nD2ht2kO2Xs.fg144XAGgdCdSd64haW'
const running = new Set<number>()

afterEach(() => {
  for (const group of running) process.kill(-group, 'SIGKILL')
  running.clear()
})

/** Runs shell commands; `npx` starts the command line. */
async function shell(lines: string, env: Record<string, string> = {}) {
  const command = ['shift', `exec "${process.execPath}" "${bundledCommandLine()}" "$@"`]
  await writeFile(temp.inside('npx'), `#!/bin/sh\n${command.join('\n')}\n`, { mode: 0o755 })
  await writeFile(temp.inside('htpasswd'), `#!/bin/sh\necho '${USER}' > "$2"\n`, { mode: 0o755 })
  const cwd = temp.project.cwd
  const child = spawn('sh', ['-ec', lines], {
    cwd,
    // Signals are sent to the process group, as by a terminal.
    detached: true,
    env: {
      PATH: `${cwd}:${process.env.PATH}`,
      HOME: cwd,
      ...env,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const group = child.pid ?? 0
  running.add(group)
  const said = text(child.stderr)
  const ended = once(child, 'exit').then(([code]: unknown[]) => {
    running.delete(group)
    return code
  })
  return { child, said, ended, stop: () => process.kill(-group, 'SIGTERM') }
}

/** Runs a block that starts a server. */
async function served(lines: string, port: number) {
  const server = await shell(lines.replace(/^npx/m, 'exec npx'))
  try {
    await untilListening(port, () => server.child.exitCode !== null)
  } catch (error) {
    throw new Error(await server.said, { cause: error })
  }
  return server
}

test('serve receives what send sends, and stops cleanly', async () => {
  const port = await freePort()
  const line = block('sh', { in: `${PAGE}#Receive files`, containing: 'serve ./incoming\n' }).text
  const server = await served(`${line.trim()} --port ${port}`, port)
  await writeFile(temp.inside('backup.zip'), FILE)
  const send = await shell(
    block('sh', { in: PAGE, containing: '/nightly/' }).text.replace('8080', String(port)),
  )
  expect([await send.ended, await send.said]).toEqual([0, expect.stringContaining('Sent backup.zip')])
  expect(await temp.read('incoming/nightly/backup.zip')).toEqual(FILE)
  server.stop()
  expect(await server.ended).toBe(0)
})

test('several files and a directory go out in one command', async () => {
  const port = await freePort()
  const line = block('sh', { in: `${PAGE}#Receive files`, containing: 'serve ./incoming\n' }).text
  await served(`${line.trim()} --port ${port}`, port)
  for (const name of ['backup.zip', 'notes.txt']) await writeFile(temp.inside(name), FILE)
  await mkdir(temp.inside('photos'))
  await writeFile(temp.inside('photos/a.jpg'), FILE)
  const send = await shell(block('sh', { in: PAGE, containing: '/in/' }).text.replace('8080', String(port)))
  expect([await send.ended, await send.said]).toEqual([0, expect.any(String)])
  for (const name of ['backup.zip', 'notes.txt', 'photos/a.jpg']) {
    expect(await temp.read(`incoming/in/${name}`)).toEqual(FILE)
  }
})

test('for a network: passwords, TLS, a listing and a live page', async () => {
  const authority = await Authority.create(temp.project.cwd)
  const { certFile, keyFile } = await authority.issue('server')
  await writeFile(temp.inside('cert.pem'), await readFile(certFile))
  await writeFile(temp.inside('key.pem'), await readFile(keyFile))
  await writeFile(temp.inside('backup.zip'), FILE)
  const port = await freePort()
  const lines = block('sh', { in: PAGE, containing: 'htpasswd -cB' }).text
  await served(lines.replace('443', String(port)).replace('0.0.0.0', '127.0.0.1'), port)
  const line = block('sh', { in: PAGE, containing: 'BITS_PASSWORD' }).text
  const there = line.trim().replace('files.example.com', `127.0.0.1:${port}`)
  const send = await shell(`${there} --ca '${authority.own.certFile}'`)
  expect([await send.ended, await send.said]).toEqual([0, expect.stringContaining('Sent backup.zip')])
  expect(await temp.read('incoming/backup.zip')).toEqual(FILE)
  const wrong = await shell(`${there} --ca '${authority.own.certFile}'`.replace('correct horse', 'wrong'))
  expect(await wrong.ended).toBe(3)
})

test('a file of options is accepted', async () => {
  const section = `${PAGE}#Options in a file`
  // Creating such a certificate needs openssl, which may be missing.
  const { 'tls-pfx': certificate, ...options } = JSON.parse(block('json', { in: section }).text)
  await writeFile(temp.inside('server.json'), JSON.stringify(options))
  await writeFile(temp.inside('users.htpasswd'), `${USER}\n`)
  await mkdir(temp.inside('incoming'), { recursive: true })
  const { text: line } = block('sh', { in: section })
  const check = await shell(line)
  expect([await check.ended, await check.said]).toEqual([0, expect.any(String)])
  await writeFile(temp.inside('server.json'), JSON.stringify({ ...options, 'tls-pfx': certificate }))
  const missing = await shell(line)
  expect(await missing.ended).toBe(1)
  expect(await missing.said).toContain(certificate)
})

test('several directories are served, each with its settings', async () => {
  const section = `${PAGE}#Several directories`
  const { port: documented, ...options } = JSON.parse(block('json', { in: section }).text)
  await writeFile(temp.inside('several.json'), JSON.stringify({ ...options, port: documented }))
  for (const users of ['operators', 'partners'])
    await writeFile(temp.inside(`${users}.htpasswd`), `${USER}\n`)
  const port = await freePort()
  await served(`${block('sh', { in: section }).text.trim()} --port ${port}`, port)
  for (const path of ['evidence', 'inventory']) {
    const line = `npx express-bits-upload send today.zip http://127.0.0.1:${port}/${path}/ --user alice`
    for (const again of [false, true]) {
      const send = await shell(`${line}${again ? ' --restart' : ''}`, { BITS_PASSWORD: 'correct horse' })
      const isRefused = again && path === 'evidence'
      expect([path, again, await send.ended, await send.said]).toEqual([
        path,
        again,
        isRefused ? 3 : 0,
        expect.any(String),
      ])
    }
    expect(await temp.read(`${path}/today.zip`)).toEqual(FILE)
  }
})

test('the file for several virtual directories of IIS is accepted', async () => {
  const page = 'docs/iis-migration.md'
  const config = block('json', { in: page, containing: '"directories"' }).text
  // Drives become directories.
  await writeFile(temp.inside('several.json'), config.replaceAll(/"[DE]:\//g, '"drive/'))
  for (const { 'iis-file': file } of JSON.parse(config).directories)
    await writeFile(temp.inside(file), block('json', { in: page, containing: '"BITSAllowOverwrites"' }).text)
  const line = block('sh', { in: page, containing: '--config' }).text
  const check = await shell(`${line.trim()} --check`)
  expect([await check.ended, await check.said]).toEqual([0, expect.any(String)])
})

test('the servers with S3 and Redis are accepted, and the documented libraries are supported', async () => {
  const { text: lines } = block('sh', { in: 'docs/scaling.md#S3 and Redis', containing: '--s3-bucket' })
  const { peerDependencies } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
  const [install = '', ...command] = lines.trim().split('\n')
  for (const [, name = '', major] of install.matchAll(/ (@?[^ @]+)@(\d+)/g))
    expect(peerDependencies[name]).toMatch(`^${major}.0.0`)
  expect(install).toMatch(/ @aws-sdk\/client-s3@\d+ redis@\d+$/)
  const check = await shell(`npx ${command.join('\n')} --check`)
  expect([await check.ended, await check.said]).toEqual([0, expect.any(String)])
})

test('a program accepts or refuses each file', async () => {
  const section = 'docs/processing-uploads.md#A program'
  const port = await freePort()
  const program = temp.inside('check-upload')
  await writeFile(program, block('sh', { in: section, containing: '#!/bin/sh' }).text, { mode: 0o755 })
  const line = block('sh', { in: section, containing: 'npx' }).text
  await served(`${line.trim().replace('/usr/local/bin/check-upload', program)} --port ${port}`, port)
  await writeFile(temp.inside('good.zip'), Buffer.concat([Buffer.from('PK'), FILE]))
  await writeFile(temp.inside('bad.zip'), FILE)
  const good = await shell(`npx express-bits-upload send good.zip http://127.0.0.1:${port}/`)
  expect([await good.ended, await good.said]).toEqual([0, expect.stringContaining('Sent good.zip')])
  const bad = await shell(`npx express-bits-upload send bad.zip http://127.0.0.1:${port}/`)
  expect(await bad.ended).not.toBe(0)
  expect(await bad.said).toContain('403')
  expect((await readdir(temp.inside('incoming'))).sort()).toEqual(['BITS-Sessions', 'good.zip'])
})
