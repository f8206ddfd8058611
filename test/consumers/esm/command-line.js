// The installed command receives a file that it sends itself, and shows its page.
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

const command = 'node_modules/.bin/express-bits-upload'
const shell = process.platform === 'win32'
await writeFile('sent.txt', 'by the command line')

const server = spawn(command, ['serve', 'by-command', '--port', '0', '--live'], {
  shell,
  stdio: ['ignore', 'ignore', 'pipe'],
})
try {
  let origin
  for await (const line of createInterface(server.stderr)) {
    origin = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0]
    if (origin) break
  }
  await promisify(execFile)(command, ['send', 'sent.txt', `${origin}/`], { shell })
  assert.equal(await readFile('by-command/sent.txt', 'utf8'), 'by the command line')
  assert.match(await (await fetch(`${origin}/live/`)).text(), /<title>/i)
} finally {
  server.kill()
}
const [code] = await once(server, 'exit')
assert.equal(code, 0)
console.log('Command line: uploaded')
