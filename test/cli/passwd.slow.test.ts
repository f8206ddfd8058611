import { execFile } from 'node:child_process'
import { chmod, lstat, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from '@jest/globals'
import { HtpasswdFile } from '../../lib/cli/serve/passwords/htpasswd-file.js'
import { matchesHash } from '../../lib/cli/serve/passwords/password-hash.js'
import { fixtures } from '../support/fixtures.js'
import { Command, NODE_ARGUMENTS } from './command.js'

const { directory, afterwards } = fixtures()
const SHA = '{SHA}WLrsXwWKD/4HtaIdI5GNgo9kV0k='

async function passwd(file: string, user: string, stdin: string) {
  const command = new Command(['passwd', file, user], { stdin })
  return { code: await command.exit, stderr: command.stderr, stdout: command.stdout }
}

async function isRight(file: string, user: string, password: string): Promise<boolean> {
  const { hash, isKnown } = await (await HtpasswdFile.open(file)).hashOf(user)
  return matchesHash(hash, password) && isKnown
}

test('passwd makes a file that only its owner can read, and does not show the password', async () => {
  const file = join(await directory(), 'users')
  const made = await passwd(file, 'alice', 'pässwörd €\r\nsecond line\r\n')
  expect(made).toEqual({ code: 0, stderr: 'Added alice.\n', stdout: '' })
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect(await readFile(file, 'utf8')).toMatch(/^alice:\$2y\$10\$[./0-9A-Za-z]{53}\n$/)
  expect(await isRight(file, 'alice', 'pässwörd €')).toBe(true)
})

test('passwd replaces the line of a user, keeps the rest, the mode and a link, and leaves nothing behind', async () => {
  const folder = await directory()
  const file = join(folder, 'users')
  const link = join(folder, 'link')
  await writeFile(file, `# users\r\n\r\nbob:${SHA}\r\nalice:${SHA}\r\nalicia:${SHA}\r\nalice:${SHA}`)
  await chmod(file, 0o640)
  await symlink(file, link)
  expect((await passwd(link, 'alice', 'new')).stderr).toBe('Changed the password of alice.\n')
  const lines = (await readFile(file, 'utf8')).split('\r\n')
  expect(lines).toEqual([
    '# users',
    '',
    `bob:${SHA}`,
    expect.stringMatching(/^alice:\$2y\$/),
    `alicia:${SHA}`,
    '',
  ])
  expect((await stat(file)).mode & 0o777).toBe(0o640)
  expect((await lstat(link)).isSymbolicLink()).toBe(true)
  expect((await readdir(folder)).sort()).toEqual(['link', 'users'])
  expect(await isRight(file, 'alice', 'new')).toBe(true)
})

test.each([
  ['a:b', 'x', 2, /not contain a colon/],
  ['#a', 'x', 2, /not contain .* start with #/],
  ['alice', '\n', 2, /the password must not be empty\./],
  ['alice', 'ä'.repeat(37), 2, /more than 72 bytes: bcrypt would ignore the rest/],
])('passwd refuses the name %s with the password %j', async (user, password, code, sentence) => {
  const file = join(await directory(), 'users')
  const refused = await passwd(file, user, password)
  expect(refused.code).toBe(code)
  expect(refused.stderr).toMatch(sentence)
  await expect(stat(file)).rejects.toThrow('ENOENT')
})

test('passwd names a file that cannot be written', async () => {
  const refused = await passwd('/no/such/directory/users', 'alice', 'x')
  expect(refused).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^error: cannot write \/no.*ENOENT/),
  })
})

test('passwd asks twice at a terminal, and does not show what is typed', async () => {
  const script = await promisify(execFile)('sh', ['-c', 'command -v script || true'])
  // Part of bsdutils. Without it, only the test of send covers the prompt.
  if (script.stdout.trim() === '') return
  const file = join(await directory(), 'users')
  const words = [process.execPath, ...NODE_ARGUMENTS, 'passwd', file, 'alice']
  const quoted = words.map((word) => `'${word}'`).join(' ')
  const command = new Command(['-qec', quoted, '/dev/null'], { program: script.stdout.trim(), arguments: [] })
  afterwards(() => command.kill('SIGKILL'))
  await command.until('stdout', /New password of alice: $/)
  command.type('s3cret\r')
  await command.until('stdout', /Repeat it: $/)
  command.type('s3cret\r')
  await command.until('stdout', /Added alice\./)
  expect(command.stdout).not.toContain('s3cret')
  expect(await isRight(file, 'alice', 's3cret')).toBe(true)
})
