import { pathOf } from './destination.js'
import { isReservedName, RESERVED_NAME } from './reserved-folder.js'

const REPLY_FOLDER = 'replies'
const REPLY_FILE = 'responsefile.bin'
const REPLY_ID = /^\{?[0-9a-f-]{36}\}?$/i

/** A path below the mount point that leads into the server's own folder, which no other middleware may serve. */
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
    replies.toLowerCase() === REPLY_FOLDER &&
    file.toLowerCase() === REPLY_FILE &&
    REPLY_ID.test(id)
  return { sessionId: isReply ? id : undefined }
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    // Not a name that this server issued; the rest of the app decides on it.
    return path
  }
}
