import { watch } from 'node:fs'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { delimiter } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { uploadFile } from 'express-bits-upload/client'
import { Server } from '../cli/command.js'
import { hasClamav, type Scanner, startClamav } from '../engines/clamav.js'
import { describeWithEngine } from '../support/engines.js'
import { block } from './blocks.js'
import { FILE, useTempProject } from './use-temp-project.js'

jest.setTimeout(120_000)

const temp = useTempProject()
const PAGE = 'docs/processing-uploads.md'
const SECTION = `${PAGE}#Scanning for viruses`
const INFECTED = Buffer.concat([FILE, Buffer.from('THIS FILE IS INFECTED'), FILE])
const REFUSED = { status: 403, context: 'server application', fatal: true }

describeWithEngine('the virus scanner ClamAV', hasClamav, () => {
  let scanner: Scanner
  let environment: Record<string, string>

  beforeEach(async () => {
    scanner = await startClamav(block('text', { in: SECTION }).text)
    environment = { PATH: `${scanner.programs}${delimiter}${process.env.PATH}` }
    await writeFile(temp.inside('infected.bin'), INFECTED)
  })
  afterEach(() => scanner.remove())

  /** All names that appear in a directory, without those of the empty files with which the storage probes it. */
  async function appearingIn(folder: string) {
    await mkdir(temp.inside(folder), { recursive: true })
    const names = new Set<string>()
    const watcher = watch(temp.inside(folder), (_event, name) => {
      if (name !== null && !name.startsWith('.')) names.add(name)
    })
    return {
      names,
      /** Stops once it has seen this name. */
      async stopAfter(name: string) {
        await until(async () => names.has(name))
        watcher.close()
      },
    }
  }

  const until = async (isTrue: () => Promise<boolean>) => {
    while (!(await isTrue())) await delay(50)
  }

  test('onUpload: an infected file is refused and never appears, a clean one arrives', async () => {
    const appearing = await appearingIn('uploads')
    const server = await temp.project.serve(block('js', { in: SECTION }), environment)
    const send = (file: string, name: string) =>
      uploadFile(temp.inside(file), `${server.origin}/uploads/${name}`, { retries: 0 })
    await expect(send('infected.bin', 'a.bin')).rejects.toMatchObject(REFUSED)
    expect(server.stderr).toContain('Own.Test')
    await send('today.zip', 'today.zip')
    await scanner.stop()
    await expect(send('today.zip', 'b.zip')).rejects.toMatchObject({ status: 500, fatal: false })
    await scanner.start()
    await send('today.zip', 'c.zip')
    await appearing.stopAfter('c.zip')
    expect([...appearing.names].sort()).toEqual(['BITS-Sessions', 'c.zip', 'today.zip'])
    expect(await temp.read('uploads/today.zip')).toEqual(FILE)
  })

  test('serve --on-upload: the program refuses infected files', async () => {
    const program = temp.inside('scan-upload')
    const section = `${PAGE}#Scanning with a program`
    const { text } = block('sh', { in: section, containing: '#!/bin/sh' })
    await writeFile(program, text, { mode: 0o755 })
    expect(block('sh', { in: section, containing: 'npx' }).text).toContain(
      '--on-upload /usr/local/bin/scan-upload',
    )
    const appearing = await appearingIn('incoming')
    const server = await Server.start(temp.inside('incoming'), ['--on-upload', program], { env: environment })
    try {
      const send = (file: string) => uploadFile(temp.inside(file), `${server.origin}/${file}`, { retries: 0 })
      await expect(send('infected.bin')).rejects.toMatchObject(REFUSED)
      await server.until('stderr', /Own\.Test.* FOUND/)
      const { reply } = await send('today.zip')
      expect(reply).toBeUndefined()
      await scanner.stop()
      await writeFile(temp.inside('later.zip'), FILE)
      await expect(send('later.zip')).rejects.toMatchObject({ status: 503 })
      await appearing.stopAfter('today.zip')
      expect([...appearing.names].sort()).toEqual(['BITS-Sessions', 'today.zip'])
    } finally {
      await server.stop()
    }
  })

  test('quarantine: files are served when they are clean, also those that a restart left unscanned', async () => {
    const { text, language } = block('js', { in: `${PAGE}#Scans that take minutes` })
    // Instead of the minute after which a file is scanned again.
    const example = { text: text.replace('60_000', '100'), language }
    const appearing = await appearingIn('clean')
    const server = await temp.project.serve(example, environment)
    const statusOf = async (name: string, { origin } = server) =>
      (await fetch(`${origin}/uploads/${name}`)).status
    await writeFile(temp.inside('today.zip'), INFECTED)
    await temp.upload(server, 'logs/infected.bin')
    await writeFile(temp.inside('today.zip'), FILE)
    await temp.upload(server, 'today.zip')
    await until(async () => (await statusOf('today.zip')) === 200)
    expect(await statusOf('logs/infected.bin')).toBe(404)
    expect(await temp.read('infected/logs/infected.bin')).toEqual(INFECTED)
    // If the name is taken, the file stays in quarantine, and nothing is lost.
    await temp.upload(server, 'today.zip')
    await until(async () => server.stderr.includes('today.zip stays in quarantine: '))
    expect(await temp.read('quarantine/today.zip')).toEqual(FILE)

    await scanner.stop()
    await temp.upload(server, 'later.zip')
    await until(async () => server.stderr.includes('later.zip stays in quarantine: '))
    expect(await statusOf('later.zip')).toBe(404)
    await server.stop('SIGKILL')
    await scanner.start()
    const again = await temp.project.serve(example, environment)
    await until(async () => (await statusOf('later.zip', again)) === 200)
    await appearing.stopAfter('later.zip')
    expect([...appearing.names].sort()).toEqual(['later.zip', 'today.zip'])
    expect(await readdir(temp.inside('infected'))).toEqual(['logs'])
  })
})
