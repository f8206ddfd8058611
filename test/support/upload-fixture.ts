import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BitsClientError, type UploadOptions } from 'express-bits-upload/client'
import { bytes } from './bytes.js'
import { type Script, ScriptedServer } from './scripted-server.js'

export { bytes as contentOf } from './bytes.js'

export const KB = 1024

/** Retries almost without delay. */
export const FAST: UploadOptions = { minRetryDelay: 1, maxRetryDelay: 5 }

export interface LocalFixture {
  readonly directory: string
  readonly path: string
  readonly content: Buffer
}

/** Creates a file of this many bytes in a new directory, while `use` runs. */
export async function withFile<T>(
  length: number,
  use: (file: LocalFixture) => Promise<T>,
  name = 'file.bin',
): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'bits-client-'))
  try {
    const path = join(directory, name)
    const content = bytes(length)
    await writeFile(path, content)
    return await use({ directory, path, content })
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Runs a scripted server while `use` runs. */
export async function withServer<T>(
  script: Script | Script['answer'],
  use: (server: ScriptedServer) => Promise<T>,
): Promise<T> {
  const server = await ScriptedServer.start(script)
  try {
    return await use(server)
  } finally {
    await server.stop()
  }
}

/** The error that a promise rejects with, which must be a BitsClientError. */
export async function clientError(promise: Promise<unknown>): Promise<BitsClientError> {
  const error: unknown = await promise.then(
    () => new Error('It did not fail.'),
    (reason: unknown) => reason,
  )
  if (error instanceof BitsClientError) return error
  throw error
}
