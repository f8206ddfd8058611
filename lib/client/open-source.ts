import { types } from 'node:util'
import { describeValue } from '../validation/describe-value.js'
import { LocalFile } from './local-file.js'
import { MemorySource } from './memory-source.js'
import type { UploadContent, UploadSource } from './upload-source.js'

/** @throws TypeError for anything except a path, a Buffer or a Blob. */
export function checkContent(content: unknown): void {
  if (typeof content === 'string' || types.isUint8Array(content) || isBlob(content)) return
  throw new TypeError(
    `express-bits-upload/client: the file is ${describeValue(content)}: use a path, a Buffer or a Blob.`,
  )
}

/** @throws BitsClientError when a file cannot be opened. */
export async function openSource(content: UploadContent): Promise<UploadSource> {
  return typeof content === 'string' ? LocalFile.open(content) : new MemorySource(content)
}

/** Not `instanceof`: other realms and packages have their own Blobs. */
function isBlob(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return typeof Reflect.get(value, 'size') === 'number' && typeof Reflect.get(value, 'slice') === 'function'
}
