import type { SessionView } from './views.js'

/** Rows of a page. */
const PAGE_SIZE = 25
/** Maximum length of a filter in characters. */
const MAX_FILTER = 200

/** A page of the list of open sessions. */
export interface SessionListPage {
  /** Milliseconds since 1970, by the clock of the server. */
  readonly now: number
  readonly sessions: readonly SessionView[]
  /** Sessions that match, on all pages. */
  readonly matches: number
  /** From 1. */
  readonly page: number
  readonly pages: number
}

/**
 * One page of the open sessions, the most recently active first.
 *
 * @param query `filter` is part of a name or of a user, `state` is `active`, `waiting` or `all`, `page` counts from 1.
 */
export function listPage(
  views: readonly SessionView[],
  query: Readonly<Record<string, unknown>>,
  now = Date.now(),
): SessionListPage {
  const filter = textOf(query.filter).slice(0, MAX_FILTER).toLowerCase()
  const state = textOf(query.state)
  const found = views
    .filter((view) => (state !== 'active' && state !== 'waiting' ? true : view.state === state))
    .filter(
      ({ name, user = '' }) => name.toLowerCase().includes(filter) || user.toLowerCase().includes(filter),
    )
    .sort((one, other) => other.heard - one.heard)
  const pages = Math.max(Math.ceil(found.length / PAGE_SIZE), 1)
  const wanted = Math.floor(Number(textOf(query.page)))
  const page = Math.min(Math.max(Number.isFinite(wanted) ? wanted : 1, 1), pages)
  return {
    now,
    sessions: found.slice((page - 1) * PAGE_SIZE, page * PAGE_SIZE),
    matches: found.length,
    page,
    pages,
  }
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')
