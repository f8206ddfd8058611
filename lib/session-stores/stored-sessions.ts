import type { SessionStore } from '../../types/session.js'

/** The ways in which a `FileSessionStore` keeps its sessions. */
export type StoredSessions = Required<
  Pick<SessionStore, 'create' | 'createWithin' | 'get' | 'update' | 'delete' | 'list' | 'expired' | 'ended'>
>
