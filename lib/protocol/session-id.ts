import { hash, randomUUID } from 'node:crypto'

const SESSION_GUID = /^\{?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\}?$/i

/** A new session id in the format of Windows servers: a GUID in upper case, in braces (D21). */
export const newSessionId = (): string => `{${randomUUID().toUpperCase()}}`

/**
 * The upload id of a session, under which it is stored. It is a digest: input of a client never becomes part of a
 * path, and the stored data does not reveal a session id.
 * @returns 32 lower-case hexadecimal digits; `undefined` when `id` is not a GUID, and so was not issued by this
 * server.
 */
export function sessionKey(id: string): string | undefined {
  const guid = SESSION_GUID.exec(id)?.[1]
  return guid && hash('sha256', guid.toUpperCase()).slice(0, 32)
}

/** A session id in the format in which it was issued, regardless of how the client spelled it. */
export const sessionGuid = (id: string): string => `{${(SESSION_GUID.exec(id)?.[1] ?? id).toUpperCase()}}`

/** Tells whether a text has the form of an upload id. */
export const isUploadId = (text: string): boolean => /^[0-9a-f]{32}$/.test(text)
