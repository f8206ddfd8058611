import { stat } from 'node:fs/promises'
import { BitsClientError, UploadJob, type UploadOptions, type UploadState } from 'express-bits-upload/client'
import { readable } from './progress.js'
import type { SavedState } from './saved-state.js'

export interface Upload {
  readonly file: string
  readonly url: URL
  readonly saved: SavedState
  /** Settings of the requests. */
  readonly request: UploadOptions
  /** Always start over. */
  readonly restart: boolean
}

/**
 * Finds out where an earlier attempt stopped. If that state is no longer usable, cancels its session, provided that the
 * server can be reached.
 *
 * @param note receives progress messages.
 */
export async function stateToResume(
  upload: Upload,
  note: (line: string) => void,
): Promise<UploadState | undefined> {
  const { file, saved, restart } = upload
  const state = saved.read()
  if (!state) return undefined
  // Opening the file will report the problem.
  const facts = await stat(file).catch(() => undefined)
  if (!facts) return undefined
  const same = facts.size === state.size && facts.mtimeMs === state.modified
  if (same && !restart) {
    note(`Continuing at ${readable(state.offset)} of ${readable(state.size)}; use --restart to start over.`)
    return state
  }
  note(same ? 'Starting over.' : 'The file has changed since the last attempt: starting over.')
  saved.remove()
  await cancelStale(upload, state)
  return undefined
}

async function cancelStale({ file, url, request }: Upload, resume: UploadState): Promise<void> {
  try {
    await new UploadJob(file, url, { ...request, resume }).cancel()
  } catch (error) {
    // The session will expire, and the upload will report what is wrong with the server.
    if (!(error instanceof BitsClientError)) throw error
  }
}
