import { createCipheriv, createHash } from 'node:crypto'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface SampleFile {
  readonly path: string
  /** Bytes. */
  readonly size: number
  /** Hexadecimal. */
  readonly sha256: string
  remove(): Promise<void>
}

const BYTES_PER_MIB = 1024 * 1024

/** Writes a file of pseudo-random bytes, always the same, to a temporary directory. */
export async function makeSampleFile(mebibytes: number): Promise<SampleFile> {
  const directory = await mkdtemp(join(tmpdir(), 'bits-demo-'))
  const remove = () => rm(directory, { recursive: true, force: true })
  try {
    const path = join(directory, 'sample.bin')
    return { path, size: mebibytes * BYTES_PER_MIB, sha256: await fill(path, mebibytes), remove }
  } catch (error) {
    await remove()
    throw error
  }
}

async function fill(path: string, mebibytes: number): Promise<string> {
  // The key stream of a cipher looks random, does not compress, and is fast to generate.
  const generator = createCipheriv('aes-128-ctr', Buffer.alloc(16, 'key'), Buffer.alloc(16, 'iv'))
  const zeros = Buffer.alloc(BYTES_PER_MIB)
  const hash = createHash('sha256')
  const file = await open(path, 'wx')
  try {
    for (let n = 0; n < mebibytes; n += 1) {
      const bytes = generator.update(zeros)
      hash.update(bytes)
      await file.write(bytes)
    }
  } finally {
    await file.close()
  }
  return hash.digest('hex')
}
