import type { SessionChange, SessionRecord } from '../../types/session.js'
import { isObject } from '../util/is-object.js'
import { applyChange, isSessionRecord, nullForAbsent, parseLine } from './record-file.js'
import type { SessionTable } from './session-table.js'

/** Lines that are replayed between two turns of the event loop. */
const LINES_AT_ONCE = 1000
const LINE_BREAK = 10

export const createdLine = (record: SessionRecord): string => `${JSON.stringify({ create: record })}\n`

export const changedLine = (uploadId: string, change: SessionChange): string =>
  `${JSON.stringify({ update: uploadId, change }, nullForAbsent)}\n`

export const deletedLine = (uploadId: string): string => `${JSON.stringify({ delete: uploadId })}\n`

export interface Replay {
  /** Bytes up to the end of the last complete line. The rest was never confirmed: a crash interrupted it. */
  readonly length: number
  /** Complete lines that could not be used, and were skipped. */
  readonly skipped: number
}

/** Replays the lines of a journal. */
export async function replayJournal(journal: Buffer, sessions: SessionTable): Promise<Replay> {
  let length = 0
  let skipped = 0
  for (let lines = 1; ; lines++) {
    const end = journal.indexOf(LINE_BREAK, length)
    if (end < 0) return { length, skipped }
    if (end > length && !replayLine(journal.toString('utf8', length, end), sessions)) skipped++
    length = end + 1
    if (lines % LINES_AT_ONCE === 0) await new Promise((resolve) => setImmediate(resolve))
  }
}

/** @returns whether the line could be used. */
function replayLine(line: string, sessions: SessionTable): boolean {
  const entry = parseLine(line)
  if ('create' in entry) return putRecord(entry.create, sessions)
  if ('delete' in entry && typeof entry.delete === 'string') {
    sessions.delete(entry.delete)
    return true
  }
  if (!('update' in entry && typeof entry.update === 'string' && 'change' in entry)) return false
  const current = sessions.get(entry.update)
  if (!current || !isObject(entry.change)) return false
  const record = { ...current }
  applyChange(record, entry.change)
  return record.uploadId === entry.update && putRecord(record, sessions)
}

function putRecord(record: unknown, sessions: SessionTable): boolean {
  if (!isObject(record) || !isSessionRecord(record)) return false
  sessions.put(record)
  return true
}
