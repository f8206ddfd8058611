import { createHash, randomFillSync } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Scenario } from './scenario.js'

const KIB = 1024
const MIB = 1024 * KIB

/** `count` files of `size` bytes over `connections` connections, each of which sends one file after the other. */
export function uploads(
  title: string,
  work: { count: number; size: number; connections: number; after?: readonly Scenario[] },
): Scenario {
  const { count, size, connections, after = [] } = work
  const content = randomFillSync(Buffer.allocUnsafe(size))
  const hash = createHash('sha256').update(content).digest('hex')
  const names = Array.from({ length: count }, (_, n) => `${n}.bin`)
  const small = size < MIB
  return {
    title,
    after,
    connections,
    amount: small ? count : (count * size) / MIB,
    unit: small ? 'files' : 'MiB',
    per: small ? { amount: 1000, name: '1,000 files' } : { amount: 1024, name: 'GiB' },
    async run({ send }, open) {
      const left = names.values()
      await Promise.all(
        open.map(async (connection) => {
          for (const name of left) await send(connection, name, content)
        }),
      )
    },
    async check({ name: who, directory }, thoroughly) {
      for (const name of names) {
        const path = join(directory, name)
        const held = await stat(path)
        if (held.size !== size) throw new Error(`${who} holds ${held.size} bytes of ${name}, not ${size}.`)
        if (thoroughly && (await hashOf(path)) !== hash)
          throw new Error(`${who} holds other bytes in ${name}.`)
        await rm(path)
      }
    },
  }
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}
