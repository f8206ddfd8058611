import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { RequestHandler } from 'express'
import { isReservedName } from 'express-bits-upload'
import { isDotPath } from './hidden.js'

interface ListedFile {
  /** Path below `/uploads`, with `/` between its segments. */
  readonly name: string
  readonly url: string
  /** Bytes. */
  readonly size: number
  readonly modified: Date
}

/**
 * Responds with a list of the uploaded files as JSON, newest first. Hidden and unfinished files and symbolic links are
 * left out.
 */
export function listFiles(directory: string): RequestHandler {
  return async (_req, res) => {
    const files = await uploadedFiles(directory, '')
    files.sort((one, other) => other.modified.getTime() - one.modified.getTime())
    res.set('Cache-Control', 'no-store').json(files)
  }
}

async function uploadedFiles(directory: string, prefix: string): Promise<ListedFile[]> {
  const entries = await readdir(join(directory, prefix), { withFileTypes: true }).catch(emptyIfNotFound)
  const files: ListedFile[] = []
  for (const entry of entries) {
    const name = prefix + entry.name
    if (isDotPath(name) || isReservedName(entry.name)) continue
    if (entry.isDirectory()) files.push(...(await uploadedFiles(directory, `${name}/`)))
    else if (entry.isFile()) files.push(...(await listed(directory, name)))
  }
  return files
}

/** Returns `undefined` for a file that has been removed in the meantime. */
async function listed(directory: string, name: string): Promise<ListedFile[]> {
  const facts = await lstat(join(directory, name)).catch(emptyIfNotFound)
  if (!('size' in facts)) return []
  const url = `/uploads/${name.split('/').map(encodeURIComponent).join('/')}`
  return [{ name, url, size: facts.size, modified: facts.mtime }]
}

function emptyIfNotFound(error: NodeJS.ErrnoException): [] {
  if (error.code === 'ENOENT') return []
  throw error
}
