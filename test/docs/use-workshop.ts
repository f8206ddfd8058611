import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach } from '@jest/globals'
import { type UploadOptions, type UploadResult, uploadFile } from 'express-bits-upload/client'
import { contentOf } from '../support/upload-fixture.js'
import { type BlockServer, Workshop } from './run-block.js'

/** 4,892 bytes: as many as in the captures of MC-BUP 4. */
export const FILE = contentOf(4892)

/** What each test has available. */
export interface Bench {
  readonly workshop: Workshop
  /** Path of {@link FILE}. */
  readonly local: string
  /** A path in the directory where the blocks run. */
  inside(path: string): string
  /** Reads a file in the directory where the blocks run. */
  arrived(path: string): Promise<Buffer>
  /** Uploads {@link FILE} to a server's `/uploads`. */
  upload(
    server: Pick<BlockServer, 'origin'>,
    path: string,
    headers?: Record<string, string>,
    options?: UploadOptions,
  ): Promise<UploadResult>
}

/** Creates a workshop for each test of the calling file. */
export function useWorkshop(): Bench {
  let workshop: Workshop
  const inside = (path: string) => join(workshop.cwd, path)

  beforeEach(async () => {
    workshop = await Workshop.open()
    await writeFile(inside('today.zip'), FILE)
  })

  afterEach(() => workshop.close())

  return {
    get workshop() {
      return workshop
    },
    get local() {
      return inside('today.zip')
    },
    inside,
    arrived: (path) => readFile(inside(path)),
    upload: ({ origin }, path, headers = {}, options = {}) =>
      uploadFile(inside('today.zip'), `${origin}/uploads/${path}`, { retries: 0, headers, ...options }),
  }
}
