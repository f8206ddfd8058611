import type { FileDigest, SessionInfo } from 'express-bits-upload'
import { escapeControls } from '../logging/escape-controls.js'
import { plainAddress } from '../util/plain-address.js'

/** Maximum number of characters shown of a name: with a few hundred rows, a page stays below 20 KB per second. */
const MAX_SHOWN_NAME = 120
const MAX_USER = 60
const MAX_ADDRESS = 45
/** Characters of a link. */
const MAX_HREF = 500

/** An open session as the page shows it. */
export interface SessionView {
  readonly uploadId: string
  readonly name: string
  readonly user?: string
  readonly state: 'active' | 'waiting'
  readonly received: number
  readonly total?: number
  /** Bytes per second. */
  readonly rate: number
  /** Of the client that sent the latest fragment to this machine. */
  readonly address?: string
  /** Bytes of the latest fragment. */
  readonly fragmentSize?: number
  /** Milliseconds since 1970: the last activity. */
  readonly heard: number
}

/** An upload that has finished or failed, as the page shows it. */
export interface EndedView {
  readonly uploadId: string
  readonly name: string
  readonly user?: string
  readonly outcome: Outcome
  /** Bytes. */
  readonly received: number
  /** Milliseconds since 1970. */
  readonly at: number
  /** URL path of the file. */
  readonly href?: string
  /** Its checksum, with the algorithm: `sha256:e3b0…`. */
  readonly digest?: string
}

/** `refused` is a decision of the application; after `failed` the client tries again. */
export type Outcome = 'uploaded' | 'cancelled' | 'expired' | 'refused' | 'failed'

/** What the overview knows about a session. */
export interface SessionFacts extends Pick<SessionView, 'state' | 'rate' | 'heard'> {
  /** Comes before its name. */
  readonly prefix: string | undefined
}

/** How an upload ended. */
export interface EndedFacts extends Pick<EndedView, 'outcome' | 'at'> {
  /** Comes before its name. */
  readonly prefix: string | undefined
  /** URL path below which its file is served. */
  readonly files: string | undefined
  readonly digest: FileDigest | undefined
}

export function sessionView(
  { uploadId, destination, user, received, total, address, fragmentSize }: SessionInfo,
  { state, rate, heard, prefix = '' }: SessionFacts,
): SessionView {
  return {
    uploadId,
    name: shown(prefix + destination, MAX_SHOWN_NAME),
    ...(user !== undefined && { user: shown(user, MAX_USER) }),
    state,
    received,
    ...(total !== undefined && { total }),
    rate: Math.round(rate),
    ...(address !== undefined && { address: shown(plainAddress(address), MAX_ADDRESS) }),
    ...(fragmentSize !== undefined && { fragmentSize }),
    heard,
  }
}

export function endedView(
  { uploadId, destination, user, received }: SessionInfo,
  { outcome, at, prefix = '', files, digest }: EndedFacts,
): EndedView {
  const href = outcome === 'uploaded' ? linkTo(destination, files) : undefined
  return {
    uploadId,
    name: shown(prefix + destination, MAX_SHOWN_NAME),
    ...(user !== undefined && { user: shown(user, MAX_USER) }),
    outcome,
    received,
    at,
    ...(href !== undefined && { href }),
    ...(digest && { digest: `${digest.algorithm}:${digest.value}` }),
  }
}

function linkTo(destination: string, files: string | undefined): string | undefined {
  if (files === undefined) return undefined
  const directory = files.endsWith('/') ? files : `${files}/`
  const href = directory + destination.split('/').map(encodeURIComponent).join('/')
  return href.length > MAX_HREF ? undefined : href
}

/** Long names keep their beginning and end, which distinguish files. */
function shown(text: string, max: number): string {
  const safe = escapeControls(text)
  if (safe.length <= max) return safe
  const half = Math.floor((max - 1) / 2)
  return escapeControls(`${safe.slice(0, half)}…${safe.slice(-half)}`)
}
