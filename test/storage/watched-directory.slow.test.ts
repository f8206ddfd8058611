import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'
import type { BitsUploadOptions } from 'express-bits-upload'
import { describeOnSystems, describeWithEngine } from '../support/engines.js'
import { fixtures } from '../support/fixtures.js'
import { fragment, openSession } from '../support/raw.js'
import { until } from '../support/soak.js'

const { directory: newDirectory, start, connect, afterwards } = fixtures()

const WATCH_CLOSES = fileURLToPath(new URL('watch_closes.py', import.meta.url))

/** Watches a directory as incron does. @returns the events so far. */
async function watch(directory: string): Promise<() => string[]> {
  const watcher = spawn('python3', [WATCH_CLOSES, directory], { stdio: ['ignore', 'pipe', 'inherit'] })
  afterwards(async () => {
    watcher.kill()
    if (watcher.exitCode === null && watcher.signalCode === null) await once(watcher, 'exit')
  })
  let output = ''
  watcher.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  await until(async () => output.startsWith('watching\n'))
  return () => output.split('\n').slice(1, -1)
}

async function upload(options: BitsUploadOptions): Promise<void> {
  const connection = await connect(await start(options))
  const id = await openSession(connection, '/uploads/report.csv')
  expect((await connection.exchange(fragment('/uploads/report.csv', id, Buffer.from('new')))).status).toBe(
    200,
  )
}

const watchesWithInotify = () => process.platform === 'linux'

describeOnSystems('inotify', watchesWithInotify, () => {
  describeWithEngine(
    'python3',
    () => spawnSync('python3', ['--version']).status === 0,
    () => {
      test.each([false, true])(
        'a program that waits for files to be closed sees a published one, with overwrite %s',
        async (overwrite) => {
          const directory = await newDirectory()
          if (overwrite) await writeFile(join(directory, 'report.csv'), 'old')
          const events = await watch(directory)
          await upload({ directory, overwrite })
          await until(async () => events().includes('closed report.csv'))
        },
      )
    },
  )
})
