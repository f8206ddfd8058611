import type { SessionRecord, SessionState } from '../../types/session.js'

const STATES: readonly string[] = ['receiving', 'published', 'closed', 'cancelled'] satisfies SessionState[]

/** Reads a stored session; `undefined` when the text is not one, as after a crash in the middle of its writing. */
export function parseSessionRecord(text: string): SessionRecord | undefined {
  const value = parse(text)
  return isSessionRecord(value) ? value : undefined
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isSessionRecord(value: unknown): value is SessionRecord {
  if (typeof value !== 'object' || value === null) return false
  const is = (name: string, type: string) => typeof Reflect.get(value, name) === type
  const may = (name: string, type: string) => Reflect.get(value, name) === undefined || is(name, type)
  return (
    is('key', 'string') &&
    is('destination', 'string') &&
    is('url', 'string') &&
    is('createdAt', 'number') &&
    is('lastActivity', 'number') &&
    STATES.includes(String(Reflect.get(value, 'state'))) &&
    may('user', 'string') &&
    may('total', 'number') &&
    may('copyToDestination', 'boolean') &&
    may('replyUrl', 'string') &&
    may('refused', 'boolean')
  )
}
