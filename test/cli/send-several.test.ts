import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { BitsError } from 'express-bits-upload'
import { fixtures } from '../support/fixtures.js'
import { freePort } from '../support/ports.js'
import { Command } from './command.js'

const { start, directory, afterwards } = fixtures()

/** Files to send: a.txt, b.txt, and a directory with more. */
async function workplace() {
  const folder = await directory()
  const cache = await directory()
  const at = (name: string) => join(folder, name)
  await mkdir(at('photos/deep er'), { recursive: true })
  for (const name of ['a.txt', 'b.txt', 'photos/1#.jpg', 'photos/deep er/2.jpg', 'photos/.hidden']) {
    await writeFile(at(name), `content of ${name}`)
  }
  const send = (words: readonly string[]) => {
    const command = new Command(['send', ...words], { env: { XDG_CACHE_HOME: cache } })
    afterwards(() => command.kill('SIGKILL'))
    return command
  }
  const states = () => readdir(join(cache, 'express-bits-upload')).catch(() => [])
  return { at, send, states }
}

describe('send with several files', () => {
  test('sends them all, and a directory with all files in it', async () => {
    const { at, send, states } = await workplace()
    await symlink('..', at('photos/up'))
    await symlink('../a.txt', at('photos/link.txt'))
    const folder = await directory()
    const { origin } = await start({ directory: folder })
    const command = send([at('b.txt'), `${at('photos')}/`, at('a.txt'), `${origin}/uploads/in/`])
    expect(await command.exit).toBe(0)
    const arrived = await readdir(join(folder, 'in'), { recursive: true })
    expect(arrived.sort()).toEqual([
      'a.txt',
      'b.txt',
      'photos',
      'photos/.hidden',
      'photos/1#.jpg',
      'photos/deep er',
      'photos/deep er/2.jpg',
      'photos/link.txt',
    ])
    for (const name of ['a.txt', 'photos/1#.jpg', 'photos/deep er/2.jpg']) {
      expect(await readFile(join(folder, 'in', name), 'utf8')).toBe(`content of ${name}`)
    }
    expect(command.stderr).toContain('photos/up" is not a file: skipped.\n')
    expect(command.stderr).toMatch(
      /\nphotos\/deep er\/2\.jpg \(4 of 6\)\n(?:\d+% .*\n)*Sent photos\/deep er\/2\.jpg: 31 bytes, /,
    )
    expect(await states()).toEqual([])
  })

  test('sends the others if one fails, exits with the highest code, and sends the rest the next time', async () => {
    const { at, send, states } = await workplace()
    const folder = await directory()
    let refuse = true
    const paths: string[] = []
    const { origin } = await start({
      directory: folder,
      authorize: (_, path) => {
        paths.push(path)
        if (refuse && path.endsWith('b.txt')) throw new BitsError('access-denied', 'Not this one.')
        return true
      },
    })
    const words = [at('missing'), at('b.txt'), at('a.txt'), `${origin}/uploads/`]
    const first = send(words)
    expect(await first.exit).toBe(3)
    expect(first.stderr).toMatch(/^error: missing: .*ENOENT.*$/m)
    expect(first.stderr).toMatch(/^error: b\.txt: .*403.*$/m)
    expect(first.stderr).toMatch(/^error: 1 of 3 files were sent\.\n$/m)
    expect(await readdir(folder)).toContain('a.txt')

    refuse = false
    await writeFile(at('missing'), 'here now')
    paths.length = 0
    const second = send(words)
    expect(await second.exit).toBe(0)
    expect(second.stderr).toContain('a.txt was sent before; use --restart to send it again.\n')
    expect(new Set(paths)).toEqual(new Set(['missing', 'b.txt']))
    expect(await states()).toEqual([])
  })

  test('does not try the others if the server cannot be reached, or refuses the credentials', async () => {
    const { at, send } = await workplace()
    let packets = 0
    const { origin } = await start({
      directory: await directory(),
      user: () => {
        packets += 1
        throw new BitsError({ status: 401 }, 'Who?')
      },
    })
    const files = [at('a.txt'), at('b.txt')]
    const [closed, locked] = [
      send([...files, `http://127.0.0.1:${await freePort()}/`, '--retries', '0']),
      send([...files, `${origin}/uploads/`]),
    ]
    expect([await closed.exit, await locked.exit, packets]).toEqual([4, 3, 1])
    for (const command of [closed, locked]) {
      expect(command.stderr.match(/^error: .*$/gm)).toHaveLength(2)
      expect(command.stderr).toMatch(/^error: a\.txt: .*\nerror: 0 of 2 files were sent\.\n$/m)
    }
  })
})
