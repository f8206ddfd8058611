import { hash, randomUUID } from 'node:crypto'

const SESSION_GUID = /^\{?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\}?$/i

/** A new session id as Windows servers write it: a GUID in upper case, in braces (D21). */
export const newSessionId = (): string => `{${randomUUID().toUpperCase()}}`

/**
 * The key under which a session is stored. It is a digest: what a client sends is looked up and never becomes part of
 * a path, and what lies on the disk does not tell anybody a session id.
 *
 * @returns 32 lower-case hexadecimal digits; `undefined` when `id` is no GUID, and so none of ours.
 */
export function sessionKey(id: string): string | undefined {
  const guid = SESSION_GUID.exec(id)?.[1]
  return guid && hash('sha256', guid.toUpperCase()).slice(0, 32)
}

/** A session id in the form in which it was issued, whatever form the client gave it. */
export const sessionGuid = (id: string): string => `{${(SESSION_GUID.exec(id)?.[1] ?? id).toUpperCase()}}`
