import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { uploadFile } from 'express-bits-upload/client'
import { Application } from '../delivery/application.js'
import { fixtures } from '../support/fixtures.js'
import { clientError, FAST, withFile } from '../support/upload-fixture.js'
import { Server } from './command.js'

const { directory, afterwards } = fixtures()

async function start(flags: readonly string[]): Promise<Server> {
  const server = await Server.start(await directory(), flags)
  afterwards(() => server.kill('SIGKILL'))
  return server
}

async function application(): Promise<Application> {
  const running = await Application.start()
  afterwards(() => running.stop())
  return running
}

/** The ways to configure notifications by value. */
const WAYS: [string, (url: string) => Promise<string[]>][] = [
  ['--notify-url', async (url) => ['--notify-url', url, '--notify-type', 'by-value']],
  [
    '--iis',
    async (url) => ['--iis', 'BITSServerNotificationType=2', '--iis', `BITSServerNotificationURL=${url}`],
  ],
  [
    '--iis-file',
    async (url) => {
      const file = join(await directory(), 'iis.json')
      await writeFile(file, JSON.stringify({ BITSServerNotificationType: 2, BITSServerNotificationURL: url }))
      return ['--iis-file', file]
    },
  ],
]

describe.each(WAYS)('an application that %s names', (_, flagsFor) => {
  test('gets the headers of --notify-header, from the command line and from a file', async () => {
    const receiver = await application()
    const secrets = join(await directory(), 'secret.txt')
    await writeFile(secrets, '\uFEFF# for the handler\r\nAuthorization: Bearer s3cret\r\n')
    const headers = ['--notify-header', `@${secrets}`, '--notify-header', 'X-Place: Zürich']
    const server = await start([...(await flagsFor(receiver.url)), ...headers])
    await withFile(2000, ({ path }) => uploadFile(path, `${server.origin}/a.bin`, FAST))
    expect(receiver.notifications).toMatchObject([
      { headers: { authorization: 'Bearer s3cret', 'x-place': 'Zürich', 'content-length': '2000' } },
    ])
  })

  test('has as much time as --notify-timeout says', async () => {
    const receiver = await application()
    receiver.answer = () => undefined
    const server = await start([...(await flagsFor(receiver.url)), '--notify-timeout', '0.2'])
    await withFile(10, async ({ path }) => {
      const error = await clientError(uploadFile(path, `${server.origin}/a.bin`, { ...FAST, retries: 0 }))
      expect(error.status).toBe(408)
    })
    expect(server.stderr).toContain('The application did not respond within 0.2 s.')
  })
})
