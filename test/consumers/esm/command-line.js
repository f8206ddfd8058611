// The installed command receives a file that it sends itself, shows its page, and checks passwords of every kind.
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

const command = 'node_modules/.bin/express-bits-upload'
const shell = process.platform === 'win32'
const PASSWORD = 'pässwörd €'
await writeFile('sent.txt', 'by the command line')
// Written by htpasswd of Apache 2.4.
await writeFile(
  'users',
  'apr1:$apr1$bMEevRs2$0vu3k9lKPhKcufnKkTjNR/\nsha:{SHA}WLrsXwWKD/4HtaIdI5GNgo9kV0k=\ncrypt:/j0GBQnlGca.s\n',
)
const passwd = spawn(command, ['passwd', 'users', 'bcrypt'], { shell, stdio: ['pipe', 'ignore', 'inherit'] })
passwd.stdin.end(PASSWORD)
assert.deepEqual(await once(passwd, 'exit'), [0, null])

const server = spawn(command, ['serve', 'by-command', '--port', '0', '--live', '--htpasswd', 'users'], {
  shell,
  stdio: ['ignore', 'ignore', 'pipe'],
})
try {
  let origin
  for await (const line of createInterface(server.stderr)) {
    origin = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0]
    if (origin) break
  }
  const as = (user, password = PASSWORD) => ({
    headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` },
  })
  for (const user of ['bcrypt', 'apr1', 'sha', 'crypt'])
    assert.equal((await fetch(origin, as(user))).status, 200, user)
  assert.equal((await fetch(origin, as('bcrypt', 'wrong'))).status, 401)
  const env = { ...process.env, BITS_PASSWORD: PASSWORD }
  await promisify(execFile)(command, ['send', 'sent.txt', `${origin}/`, '--user', 'bcrypt'], { shell, env })
  assert.equal(await readFile('by-command/sent.txt', 'utf8'), 'by the command line')
  assert.match(await (await fetch(`${origin}/live/`, as('sha'))).text(), /<title>/i)
} finally {
  server.kill()
}
const [code] = await once(server, 'exit')
assert.equal(code, 0)
console.log('Command line: uploaded')
