import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { BitsError } from 'express-bits-upload'
import { Authority } from '../support/certificates.js'
import { fixtures } from '../support/fixtures.js'
import { freePort } from '../support/ports.js'
import { contentOf, KB } from '../support/upload-fixture.js'
import { Command, type CommandOptions, NODE_ARGUMENTS } from './command.js'

const { start, directory, afterwards } = fixtures()
const FILE = contentOf(200 * KB)

/** A file to send, and a separate cache directory. */
async function workplace() {
  const folder = await directory()
  const cache = await directory()
  const file = join(folder, 'a file.bin')
  await writeFile(file, FILE)
  const send = (words: readonly string[], options: CommandOptions = {}) => {
    const command = new Command(['send', ...words], {
      ...options,
      env: { XDG_CACHE_HOME: cache, ...options.env },
    })
    afterwards(() => command.kill('SIGKILL'))
    return command
  }
  const states = () => readdir(join(cache, 'express-bits-upload')).catch(() => [])
  return { folder, cache, file, send, states }
}

/** Accepts fragments until 50 KB of an upload have arrived, then none until it is opened. */
async function startSlow() {
  const folder = await directory()
  let isOpen = false
  let received = 0
  const authorize = () => {
    if (isOpen || received < 50 * KB) return true
    throw new BitsError({ status: 503 }, 'Later.')
  }
  const running = await start({ directory: folder, authorize })
  const sessions = new Set<string>()
  const cancelled: string[] = []
  running.bits.on('progress', (session) => {
    received = session.received
    sessions.add(session.uploadId)
  })
  running.bits.on('cancelled', ({ uploadId }) => cancelled.push(uploadId))
  const open = () => {
    isOpen = true
  }
  return { ...running, folder, sessions, cancelled, open }
}

describe('send', () => {
  test('sends a file to a URL that ends with a slash, and shows progress', async () => {
    const { file, send, states } = await workplace()
    const folder = await directory()
    const { origin } = await start({ directory: folder })
    const command = send([file, `${origin}/uploads/in/`, '--fragment-size', '20KB'])
    expect(await command.exit).toBe(0)
    expect((await readFile(join(folder, 'in', 'a file.bin'))).equals(FILE)).toBe(true)
    expect(command.stderr).toMatch(
      /^10% 20\.0 KiB of 200\.0 KiB\n(?:\d+% .*\n)*100% .*\nSent a file\.bin: 200\.0 KiB, .*\/s\.\n$/,
    )
    expect(command.stdout).toBe('')
    expect(await states()).toEqual([])
  })

  test('resumes after Ctrl+C where it stopped', async () => {
    const { file, send, states, cache } = await workplace()
    const { origin, folder, sessions, open } = await startSlow()
    const words = [
      file,
      `${origin}/uploads/a.bin?token=1`,
      '--fragment-size',
      '10KB',
      '--retries',
      'unlimited',
    ]
    const first = send(words)
    await first.until('stderr', /again in/)
    first.kill('SIGINT')
    expect(await first.exit).toBe(130)
    expect(first.stderr).toMatch(/\nStopped\. Run the same command again to continue\.\n$/)
    const [name = ''] = await states()
    expect((await stat(join(cache, 'express-bits-upload', name))).mode & 0o777).toBe(0o600)
    open()
    // A different query or other credentials do not make it another upload.
    const second = send([
      file,
      `${origin.replace('//', '//u:p@')}/uploads/a.bin?token=2`,
      '--fragment-size',
      '10KB',
    ])
    expect(await second.exit).toBe(0)
    expect(second.stderr).toMatch(/^Continuing at 50\.0 KiB of 200\.0 KiB; use --restart to start over\.\n/)
    expect((await readFile(join(folder, 'a.bin'))).equals(FILE)).toBe(true)
    expect(sessions.size).toBe(1)
    expect(await states()).toEqual([])
  })

  test('resumes after it was killed', async () => {
    const { file, send } = await workplace()
    const { origin, folder, sessions, open } = await startSlow()
    const words = [file, `${origin}/uploads/a.bin`, '--fragment-size', '10KB']
    const first = send(words)
    await first.until('stderr', /again in/)
    first.kill('SIGKILL')
    await first.exit
    open()
    expect(await send(words).exit).toBe(0)
    expect((await readFile(join(folder, 'a.bin'))).equals(FILE)).toBe(true)
    expect(sessions.size).toBe(1)
  })

  test.each([
    ['with --restart', async () => {}, ['--restart'], /^Starting over\.$/m],
    [
      'when the file has changed',
      (file: string) => appendFile(file, 'more'),
      [],
      /^The file has changed since the last attempt/m,
    ],
  ])('starts over %s, and cancels the earlier session', async (_, change, flags, says) => {
    const { file, send } = await workplace()
    const { origin, folder, cancelled, sessions, open } = await startSlow()
    const words = [file, `${origin}/uploads/a.bin`, '--fragment-size', '10KB', '--retries', '0']
    const first = send(words)
    expect(await first.exit).toBe(4)
    expect(first.stderr).toMatch(/^error: .* Gave up\. Run the same command again to continue\.\n$/m)
    const [session] = sessions
    await change(file)
    open()
    const second = send([...words, ...flags])
    expect(await second.exit).toBe(0)
    expect(second.stderr).toMatch(says)
    expect(cancelled).toEqual([session])
    expect((await readFile(join(folder, 'a.bin'))).equals(await readFile(file))).toBe(true)
  })

  test('writes a reply to standard output or to a file', async () => {
    const { folder, file, send } = await workplace()
    const { origin } = await start({ directory: await directory(), onUpload: () => 'Thank you\n' })
    const printed = send([file, `${origin}/uploads/a.bin`, '--quiet'])
    expect(await printed.exit).toBe(0)
    expect([printed.stdout, printed.stderr]).toEqual(['Thank you\n', ''])
    const replyTo = join(folder, 'reply.txt')
    const kept = send([file, `${origin}/uploads/b.bin`, '--reply-to', replyTo])
    expect(await kept.exit).toBe(0)
    expect(await readFile(replyTo, 'utf8')).toBe('Thank you\n')
    expect(kept.stdout).toBe('')
    expect(kept.stderr).toContain(`The reply is in ${replyTo}.`)
  })

  test('treats - as standard output, the default of --reply-to', async () => {
    const { folder, file, send } = await workplace()
    const { origin } = await start({ directory: await directory(), onUpload: () => 'Thank you\n' })
    const printed = send([file, `${origin}/uploads/a.bin`, '--reply-to', '-'])
    expect(await printed.exit).toBe(0)
    expect(printed.stdout).toBe('Thank you\n')
    expect(printed.stderr).toContain('Sent a file.bin')
    expect(await readdir(folder)).toEqual(['a file.bin'])
  })

  test('names its flags where the package names options', async () => {
    const { folder, file, send } = await workplace()
    const onUpload = () => Buffer.alloc(1024 * KB + 1)
    const { origin } = await start({ directory: await directory(), onUpload })
    const large = send([file, `${origin}/uploads/a.bin`, '--quiet'])
    expect(await large.exit).toBe(3)
    expect(large.stderr).toBe('error: The reply has over 1048576 bytes: --reply-to writes it to a file.\n')
    const reserved = send([file, `${origin}/uploads/b.bin`, '--header', 'Range: bytes=0-1'])
    expect(await reserved.exit).toBe(2)
    expect(reserved.stderr).toBe(
      'error: --header has "Range", which the protocol itself uses: use other headers.\n',
    )

    const authority = await Authority.create(folder)
    const { key, cert } = await authority.issue('server')
    const server = createServer({ key, cert, ca: authority.own.cert, requestCert: true })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    afterwards(() => void server.close())
    const { port } = server.address() as AddressInfo
    const unknown = send([file, `https://127.0.0.1:${port}/a`, '--ca', authority.own.certFile])
    expect(await unknown.exit).toBe(3)
    expect(unknown.stderr).toMatch(/certificate that it trusts: use --cert and --key\.\n$/)
  })

  test('exits before it sends anything if a reply cannot be written', async () => {
    const { folder, file, send, states } = await workplace()
    let packets = 0
    const { origin } = await start({ directory: await directory(), authorize: () => ++packets > 0 })
    const expected: [number, string, RegExp][] = [
      [2, file, /^error: --reply-to is ".*a file\.bin": use another file; it is the one to upload\.\n$/],
      [2, folder, /^error: --reply-to is ".*": use a file; it is a directory\.\n$/],
      [1, join(folder, 'missing', 'reply'), /^error: --reply-to: ENOENT: .*\n$/],
    ]
    for (const [code, replyTo, says] of expected) {
      const command = send([file, `${origin}/uploads/a.bin`, '--reply-to', replyTo])
      expect([replyTo, await command.exit]).toEqual([replyTo, code])
      expect(command.stderr).toMatch(says)
    }
    expect((await readFile(file)).equals(FILE)).toBe(true)
    expect([await readdir(folder), await states(), packets]).toEqual([['a file.bin'], [], 0])
  })

  test('authenticates without a secret on its command line', async () => {
    const { folder, file, send } = await workplace()
    const seen: string[] = []
    const { origin } = await start({
      directory: await directory(),
      user: (req) => {
        seen.push(`${req.get('authorization')} ${req.get('x-key')}`)
        if (req.get('authorization') === `Basic ${btoa('alice:secret')}`) return 'alice'
        throw new BitsError({ status: 401 }, 'Who?')
      },
    })
    const password = join(folder, 'password')
    await writeFile(password, 'secret\r\nand more\n')
    const headers = join(folder, 'headers')
    await writeFile(headers, `# comment\nAuthorization: Basic ${btoa('alice:secret')}\nX-Key: of file\n`)
    const words = (name: string) => [file, `${origin}/uploads/${name}`, '--quiet']
    const commands = [
      send([...words('1'), '--user', 'alice', '--password-file', password]),
      send([...words('2'), '--user', 'alice', '--password-file', '-'], { stdin: 'secret' }),
      send([...words('3'), '--user', 'alice', '--header', 'X-Key: of flag'], {
        env: { BITS_PASSWORD: 'secret' },
      }),
      send([...words('4'), '--header', `@${headers}`]),
      send([...words('5'), '--user', 'alice'], { env: { BITS_PASSWORD: 'wrong' } }),
      send([...words('6'), '--user', 'alice'], { stdin: '' }),
    ]
    expect(await Promise.all(commands.map(({ exit }) => exit))).toEqual([0, 0, 0, 0, 3, 2])
    expect(seen).toContain(`Basic ${btoa('alice:secret')} of flag`)
    expect(seen).toContain(`Basic ${btoa('alice:secret')} of file`)
    const [, , , , refused, nobody] = commands
    expect(refused?.stderr).toMatch(
      /^error: .*401.* It does not accept these credentials: use --user or --header\.\n$/,
    )
    expect(nobody?.stderr).toMatch(/^error: --user: there is no terminal to prompt for the password:.*\n$/)
  })

  test('has an exit code for each kind of failure', async () => {
    const { folder, file, send } = await workplace()
    const into = await directory()
    await writeFile(join(into, 'there.bin'), 'older')
    const { origin } = await start({ directory: into, maxUploadSize: 1000 })
    const closed = await freePort()
    const pipe = join(folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    const expected: [number, string[], RegExp][] = [
      [1, [join(folder, 'missing'), origin], /^error: .*ENOENT.*\n$/],
      [
        2,
        [folder, `${origin}/a`],
        /^error: to send several files or a directory, use a URL that ends with a slash/,
      ],
      // It must not be opened: that would block until another process writes to it.
      [1, [pipe, origin], /^error: ".*" is not a file\.\n$/],
      [2, [file, 'ftp://user:secret@host/a'], /^error: the destination is not an http: or https: URL, .*\n$/],
      [
        2,
        [file, origin, '--fragment-size', '1KB'],
        /^error: --fragment-size is 1024: use a whole number of bytes, from .*\n$/,
      ],
      [3, [file, `${origin}/uploads/a.bin`], /^error: .*BG_E_TOO_LARGE.*\n$/],
      [3, [file, `${origin}/uploads/there.bin`], /^error: .*40[39].* A file of this name .*\n$/],
      [3, [file, `${origin}/uploads/con.txt`], /^error: .*403.*\n$/],
      [
        4,
        [file, `http://127.0.0.1:${closed}/a`, '--retries', '0'],
        /^error: .*ECONNREFUSED.* Gave up\. .*\n$/,
      ],
    ]
    const commands = expected.map(([, words]) => send([...words, '--quiet']))
    for (const [index, [code, words, says]] of expected.entries()) {
      const command = commands[index]
      expect([words, await command?.exit]).toEqual([words, code])
      expect(command?.stderr).toMatch(says)
      expect(command?.stderr).not.toContain('secret')
    }
  })
})

describe('send in a terminal', () => {
  /** Runs send in a terminal, which `script` (util-linux, on every Debian and Ubuntu) provides. */
  const inTerminal = (words: readonly string[], env: Record<string, string>): Command => {
    const quoted = [process.execPath, ...NODE_ARGUMENTS, 'send', ...words]
      .map((word) => `'${word}'`)
      .join(' ')
    const command = new Command(['-qec', quoted, '/dev/null'], { program: 'script', arguments: [], env })
    afterwards(() => command.kill('SIGKILL'))
    return command
  }

  test('asks for the password without showing it, and shows a bar with rate and time', async () => {
    const { file, cache } = await workplace()
    const users: (string | undefined)[] = []
    const { origin } = await start({
      directory: await directory(),
      user: (req) => void users.push(req.get('authorization')),
      onUpload: () => 'A reply\x1b]0;title\x07 with what terminals obey',
    })
    const words = [file, `${origin}/uploads/a.bin`, '--fragment-size', '20KB', '--user', 'alice']
    const command = inTerminal(words, { XDG_CACHE_HOME: cache })
    await command.until('stdout', /Password of alice: /)
    command.type('sesame\r')
    expect(await command.exit).toBe(0)
    expect(new Set(users)).toEqual(new Set([`Basic ${btoa('alice:sesame')}`]))
    expect(command.stdout).not.toContain('sesame')
    expect(command.stdout).toMatch(/█{30} 100% {2}200\.0 KiB of 200\.0 KiB/)
    expect(command.stdout).toContain('A reply?]0;title? with')
    const [, rate, unit] =
      /\nSent a file\.bin: 200\.0 KiB, (\d+\.\d) ([KM])iB\/s\.\r\n/.exec(command.stdout) ?? []
    // A rate measured within the first second would be that of the local buffers.
    const tookOverOneSecond = unit === 'K' && Number(rate) < 200
    expect(/KiB of 200\.0 KiB {2}\d/.test(command.stdout) && !tookOverOneSecond).toBe(false)
    expect(rate).toBeDefined()
  })

  test('shows its last message below the bar', async () => {
    const { folder, file, cache } = await workplace()
    const { origin } = await start({ directory: await directory(), onUpload: () => 'A reply' })
    const replyTo = join(folder, 'reply.txt')
    const sent = inTerminal([file, `${origin}/uploads/a.bin`, '--reply-to', replyTo], {
      XDG_CACHE_HOME: cache,
    })
    expect(await sent.exit).toBe(0)
    expect(sent.stdout).toMatch(/100%.*\nSent a file\.bin: .*\r\nThe reply is in .*reply\.txt\.\r\n/s)
  })

  test('shows that it was stopped, and what prevented it from sending', async () => {
    const { file, cache } = await workplace()
    const { origin } = await startSlow()
    const words = [file, `${origin}/uploads/a.bin`, '--fragment-size', '10KB', '--retries', 'unlimited']
    const command = inTerminal(words, { XDG_CACHE_HOME: cache })
    await command.until('stdout', /again in/)
    // The terminal turns this into a signal.
    command.type('\x03')
    expect(await command.exit).toBe(130)
    expect(command.stdout).toMatch(/\nStopped\. Run the same command again to continue\.\r\n/)
    const stuck = inTerminal([...words.slice(0, -1), '0'], { XDG_CACHE_HOME: cache })
    expect(await stuck.exit).toBe(4)
    expect(stuck.stdout).toMatch(/Continuing at 50\.0 KiB of 200\.0 KiB; use --restart to start over\.\r\n/)
    expect(stuck.stdout).toMatch(/\nerror: .* Gave up\. Run the same command again to continue\.\r\n/)
  })
})
