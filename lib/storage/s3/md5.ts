import { createHash, type Hash } from 'node:crypto'

/** The `Content-MD5` of bytes. Services other than AWS ignore the newer checksum headers, and all check this one. */
export class Md5 {
  readonly #hash: Hash | undefined = createMd5()

  update(bytes: Buffer): this {
    this.#hash?.update(bytes)
    return this
  }

  /** In base64; `undefined` in FIPS modes, which have no MD5. Call it once. */
  digest(): string | undefined {
    return this.#hash?.digest('base64')
  }
}

function createMd5(): Hash | undefined {
  try {
    return createHash('md5')
  } catch {
    return undefined
  }
}

export const md5 = (bytes: Buffer): string | undefined => new Md5().update(bytes).digest()
