import type { SessionChange, SessionRecord, SessionState } from '../../types/session.js'

const STATES: readonly string[] = ['receiving', 'published', 'closed', 'cancelled'] satisfies SessionState[]

/** A session as text: a line of JSON, to which each change adds a line. */
export const recordLine = (record: SessionRecord): string => JSON.stringify(record)

/**
 * A change as a line to append. The line break comes first, so that it ends a line that a crash left incomplete.
 * Absent fields become `null`, which no field of a session ever is.
 */
export const changeLine = (changes: SessionChange): string => `\n${JSON.stringify(changes, nullForAbsent)}`

/** For `JSON.stringify`. */
export const nullForAbsent = (_name: string, value: unknown): unknown => (value === undefined ? null : value)

/**
 * Parses a session and its changes. Lines that are not JSON are ignored: a crash interrupted their writing, and the
 * change was never confirmed.
 *
 * @returns `undefined` when the text is not a session.
 */
export function parseSessionRecord(text: string): SessionRecord | undefined {
  const record: Record<string, unknown> = {}
  for (const line of text.split('\n')) {
    applyChange(record, parseLine(line))
  }
  return isSessionRecord(record) ? record : undefined
}

/** Applies a change as {@link changeLine} writes it. */
export function applyChange(record: Record<string, unknown>, change: object): void {
  for (const [name, value] of Object.entries(change)) {
    if (value === null) delete record[name]
    else record[name] = value
  }
}

/** @returns an object without properties for a line that is not JSON. */
export function parseLine(line: string): object {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}

export function isSessionRecord(value: object): value is SessionRecord {
  const is = (name: string, type: string) => typeof Reflect.get(value, name) === type
  const may = (name: string, type: string) => Reflect.get(value, name) === undefined || is(name, type)
  return (
    is('uploadId', 'string') &&
    is('destination', 'string') &&
    is('path', 'string') &&
    is('createdAt', 'number') &&
    is('lastActivity', 'number') &&
    STATES.includes(String(Reflect.get(value, 'state'))) &&
    may('user', 'string') &&
    may('origin', 'string') &&
    may('total', 'number') &&
    may('copyToDestination', 'boolean') &&
    may('replyUrl', 'string') &&
    may('expectedDigest', 'string') &&
    may('digest', 'string') &&
    may('refused', 'boolean')
  )
}
