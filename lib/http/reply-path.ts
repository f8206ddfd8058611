import { pathOf, RESERVED_NAME } from '../storage/destination.js'

const REPLY = /(?:^|\/)BITS-Sessions\/Replies\/(\{?[0-9a-f-]{36}\}?)\/responsefile\.bin$/i

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
  const names = path.normalize('NFKC').toLowerCase().split('/')
  if (!names.includes(RESERVED_NAME.toLowerCase())) return undefined
  return { sessionId: REPLY.exec(path)?.[1] }
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    // No name of ours; what follows in the app may judge it.
    return path
  }
}
