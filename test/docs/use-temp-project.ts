import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach } from '@jest/globals'
import { type UploadOptions, type UploadResult, uploadFile } from 'express-bits-upload/client'
import { contentOf } from '../support/upload-fixture.js'
import { type BlockServer, TempProject } from './temp-project.js'

/** 4,892 bytes, the size in the captures of MC-BUP 4. */
export const FILE = contentOf(4892)

/** The context of each test. */
export interface TempFixture {
  readonly project: TempProject
  /** Path of {@link FILE}. */
  readonly local: string
  /** Returns a path in the working directory of the blocks. */
  inside(path: string): string
  /** Reads a file in the working directory of the blocks. */
  read(path: string): Promise<Buffer>
  /** Uploads {@link FILE} to a server's `/uploads`. */
  upload(
    server: Pick<BlockServer, 'origin'>,
    path: string,
    headers?: Record<string, string>,
    options?: UploadOptions,
  ): Promise<UploadResult>
}

/** Creates a project for each test of the calling file. */
export function useTempProject(): TempFixture {
  let project: TempProject
  const inside = (path: string) => join(project.cwd, path)

  beforeEach(async () => {
    project = await TempProject.open()
    await writeFile(inside('today.zip'), FILE)
  })

  afterEach(() => project.close())

  return {
    get project() {
      return project
    },
    get local() {
      return inside('today.zip')
    },
    inside,
    read: (path) => readFile(inside(path)),
    upload: ({ origin }, path, headers = {}, options = {}) =>
      uploadFile(inside('today.zip'), `${origin}/uploads/${path}`, { retries: 0, headers, ...options }),
  }
}
