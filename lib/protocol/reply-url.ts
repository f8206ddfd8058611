import { pathOf } from './destination.js'
import { isReservedName, RESERVED_NAME } from './reserved-folder.js'
import { sessionGuid } from './session-id.js'

/** The folder of replies in the reserved folder. */
export const REPLY_FOLDER = 'Replies'
export const REPLY_FILE = 'responsefile.bin'
const REPLY_ID = /^\{?[0-9a-f-]{36}\}?$/i

/** Relative to the directory of the destination, in the form IIS uses (MC-BUP 4.2). */
export const storedReplyUrl = (sessionId: string): string =>
  `${RESERVED_NAME}\\${REPLY_FOLDER}\\${sessionGuid(sessionId)}\\${REPLY_FILE}`

/** Whether a reply URL leads to a reply that this server stores; otherwise the application serves it. */
export const isStoredReplyUrl = (replyUrl: string): boolean => replyUrl.startsWith(`${RESERVED_NAME}\\`)

/** A path below the mount point inside the server's own folder, which no other middleware may serve. */
export interface ReservedPath {
  /** The session whose reply is requested; `undefined` when the path is not that of a reply. */
  readonly sessionId: string | undefined
}

/**
 * Reads the path of a GET or HEAD that asks for something in the reserved folder. Windows replaces each `\` of a reply
 * URL by `/` and escapes the braces; other clients may leave both as they are (MC-BUP 4.2).
 *
 * @returns `undefined` for all other paths.
 */
export function reservedPathOf(url: string): ReservedPath | undefined {
  const segments = decoded(pathOf(url)).replaceAll('\\', '/').split('/')
  if (!segments.some(isReservedName)) return undefined
  const [folder = '', replies = '', id = '', file = ''] = segments.slice(-4)
  const isReply =
    folder.toLowerCase() === RESERVED_NAME.toLowerCase() &&
    replies.toLowerCase() === REPLY_FOLDER.toLowerCase() &&
    file.toLowerCase() === REPLY_FILE &&
    REPLY_ID.test(id)
  return { sessionId: isReply ? id : undefined }
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    // Not a name issued by this server; the rest of the app handles it.
    return path
  }
}

/**
 * A reply URL for clients of a server with a host id. They resolve a relative URL against the host of the original
 * URL, which does not have the reply unless the servers share their storage.
 * @param origin scheme and host of this server.
 * @param requestTarget of the upload.
 * @param replyUrl as stored; an absolute URL is returned unchanged.
 */
export function replyUrlAt(origin: string, requestTarget: string, replyUrl: string): string {
  if (!isStoredReplyUrl(replyUrl)) return replyUrl
  const path = pathOf(requestTarget)
  const directory = path.slice(0, path.lastIndexOf('/') + 1)
  const name = replyUrl.replaceAll('\\', '/').replaceAll('{', '%7B').replaceAll('}', '%7D')
  return `${origin}${directory}${name}`
}
