import { createHash, type Hash } from 'node:crypto'

/**
 * What the service verifies the body of a request with: the SHA-256 that is part of the signature, or `Content-MD5`,
 * which takes more than twice the CPU time. Services other than AWS ignore the newer checksum headers.
 */
export type HashAlgorithm = 'sha256' | 'md5'

/** The hash of a request's body. */
export interface BodyHash {
  readonly algorithm: HashAlgorithm
  readonly digest: Buffer
}

/** Computes the hash while the bytes arrive: 16 MiB at once would stop the event loop for 10 to 25 ms. */
export class BodyHasher {
  readonly #algorithm: HashAlgorithm
  readonly #hash: Hash | undefined

  constructor(algorithm: HashAlgorithm) {
    this.#algorithm = algorithm
    this.#hash = createIfAllowed(algorithm)
  }

  update(bytes: Buffer): this {
    this.#hash?.update(bytes)
    return this
  }

  /** `undefined` for MD5 in FIPS modes, which do not have it. Call it once. */
  digest(): BodyHash | undefined {
    return this.#hash && { algorithm: this.#algorithm, digest: this.#hash.digest() }
  }
}

function createIfAllowed(algorithm: HashAlgorithm): Hash | undefined {
  try {
    return createHash(algorithm)
  } catch (error) {
    if (algorithm === 'md5') return undefined
    throw error
  }
}

export const hashBody = (algorithm: HashAlgorithm, bytes: Buffer): BodyHash | undefined =>
  new BodyHasher(algorithm).update(bytes).digest()

/** The part of a command's input that announces the hash. */
export const contentMd5 = (hash: BodyHash | undefined): { ContentMD5?: string } =>
  hash?.algorithm === 'md5' ? { ContentMD5: hash.digest.toString('base64') } : {}

/** A command of the SDK, which lets others change its request before it is signed. */
interface Command {
  readonly middlewareStack: {
    add(middleware: BuildMiddleware, options: { readonly step: 'build'; readonly name: string }): void
  }
}

type BuildMiddleware = <Args extends { request: unknown }, Result>(
  next: (args: Args) => Result,
) => (args: Args) => Result

/** Has the SDK sign this SHA-256 instead of computing it when it sends the request. */
export function signHash(command: Command, hash: BodyHash | undefined): void {
  if (hash?.algorithm !== 'sha256') return
  const value = hash.digest.toString('hex')
  command.middlewareStack.add(
    (next) => (args) => {
      setHeader(args.request, 'x-amz-content-sha256', value)
      return next(args)
    },
    { step: 'build', name: 'bitsUploadSignHash' },
  )
}

function setHeader(request: unknown, name: string, value: string): void {
  if (typeof request !== 'object' || request === null) return
  const headers: unknown = Reflect.get(request, 'headers')
  if (typeof headers === 'object' && headers !== null) Reflect.set(headers, name, value)
}
