import type { BitsUpload, CancelResult, SessionInfo } from 'express-bits-upload'
import { allSettledOrThrow } from '../util/promises.js'
import { type Check, checkEach, type OptionChecks } from '../validation/check-options.js'
import { isPathOrUrl } from './options.js'

/** One of several `bitsUpload()` on a dashboard. `undefined` stands for what is left out. */
export interface DashboardSource {
  /** What `bitsUpload()` returned. */
  bits: BitsUpload
  /** Shown before the names of its files to distinguish the sources: `'evidence/'`. Default: nothing. */
  prefix?: string | undefined
  /** Like the option `files`, for the files of this one. */
  files?: string | undefined
}

const isBits: Check = (value) =>
  typeof Reflect.get(Object(value), 'sessions') === 'function' ? undefined : 'what bitsUpload() returned'
const isPrefix: Check = (value) => (typeof value === 'string' ? undefined : 'a string')
const SOURCE_OPTIONS: OptionChecks<DashboardSource> = { bits: isBits, prefix: isPrefix, files: isPathOrUrl }

const isList = (value: unknown): value is readonly DashboardSource[] => Array.isArray(value)

/**
 * The sources of a dashboard.
 *
 * @param files the option `files`, for the only source.
 * @throws OptionError that names the option, its value and what to use instead.
 * @throws TypeError if the first argument of `bitsDashboard()` is wrong.
 */
export function sourcesOf(
  bits: BitsUpload | readonly DashboardSource[],
  files: string | undefined,
): readonly DashboardSource[] {
  if (!isList(bits)) {
    const problem = isBits(bits)
    if (problem !== undefined)
      throw new TypeError(`bitsDashboard: the first argument must be ${problem}, or a list of { bits }.`)
    return [{ bits, files }]
  }
  if (files !== undefined)
    throw new TypeError('bitsDashboard: with a list, set "files" for each bitsUpload() in the list.')
  for (const source of bits)
    checkEach({ name: 'bitsDashboard', checks: SOURCE_OPTIONS, required: ['bits'] }, source)
  return bits
}

/**
 * The open sessions of a source.
 *
 * @returns `undefined` when they cannot be listed. The log of the session store has the reason.
 */
export async function openSessions({ bits }: DashboardSource): Promise<SessionInfo[] | undefined> {
  try {
    return await bits.sessions()
  } catch {
    return undefined
  }
}

/**
 * Cancels an upload of any source.
 *
 * @throws the error of a source that may have the upload, if no other has it.
 */
export async function cancelIn(sources: readonly DashboardSource[], uploadId: string): Promise<CancelResult> {
  const outcomes = await Promise.allSettled(sources.map(({ bits }) => bits.cancel(uploadId)))
  const results = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  const found = results.find((result) => result !== 'not-found')
  if (found !== undefined) return found
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  return 'not-found'
}

/** @throws the error of a source; an `AggregateError` if there were several. */
export const sweepSources = (sources: readonly DashboardSource[]): Promise<void> =>
  allSettledOrThrow(sources.map(({ bits }) => bits.sweep()))
