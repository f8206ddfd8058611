import { pathOf } from './destination.js'
import { RESERVED_NAME } from './reserved-folder.js'

const REPLY = new RegExp(`(?:^|/)${RESERVED_NAME}/Replies/(\\{?[0-9a-f-]{36}\\}?)/responsefile\\.bin$`, 'i')

/** What a path below the mount point says of the server's own folder, which no other middleware is to serve. */
export interface ReservedPath {
  /** The session whose reply is asked for; `undefined` when the path is no reply's. */
  readonly sessionId: string | undefined
}

/**
 * Does a GET or HEAD ask for something of the reserved folder? Windows asks for a reply with `/` for each `\` of its
 * URL and with escaped braces, other clients may leave both as they are (MC-BUP 4.2).
 *
 * @returns `undefined` for all other paths.
 */
export function reservedPathOf(url: string): ReservedPath | undefined {
  const path = decoded(pathOf(url)).replaceAll('\\', '/')
  if (!path.split('/').some(isReserved)) return undefined
  return { sessionId: REPLY.exec(path)?.[1] }
}

/** Names under which some file system finds the folder: `file~1` is the short form that Windows makes of long names. */
const RESERVED = new RegExp(`^(?:${RESERVED_NAME}|bi(?:ts-s|[0-9a-f]{4})~[0-9]+)$`, 'i')

/** Is a name the folder's to the most forgiving file system that may lie behind a file server in the same app? */
function isReserved(name: string): boolean {
  const lenient = name.normalize('NFKC').replace(/\p{Default_Ignorable_Code_Point}/gu, '')
  // Windows takes what follows a colon for a stream of the file, and drops dots and spaces at the end.
  return RESERVED.test(lenient.replace(/:.*$/s, '').replace(/[. ]+$/, ''))
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    // No name of ours; what follows in the app may judge it.
    return path
  }
}
