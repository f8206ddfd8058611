import type { Frame } from './frame.js'
import type { ThroughputView } from './throughput.js'
import type { EndedView, SessionView } from './views.js'

/** Bars of the chart that may have changed since the last frame. */
const RECENT_BUCKETS = 3

/** The changes from one frame to the next. */
export interface Changes extends Pick<Frame, 'now' | 'totals'> {
  /** New sessions in full; of others, the fields that changed. */
  readonly sessions: readonly Partial<SessionView>[]
  /** Ids of sessions that are no longer shown. */
  readonly gone: readonly string[]
  /** New finished and failed uploads, the latest first. */
  readonly ended: readonly EndedView[]
  readonly throughput: ThroughputView
}

export function changesBetween(before: Frame, after: Frame): Changes {
  const shown = new Map(before.sessions.map((session) => [session.uploadId, session]))
  const ids = new Set(after.sessions.map(({ uploadId }) => uploadId))
  const known = new Set(before.ended)
  return {
    now: after.now,
    totals: after.totals,
    sessions: after.sessions.flatMap((session) => changedFields(shown.get(session.uploadId), session)),
    gone: [...shown.keys()].filter((uploadId) => !ids.has(uploadId)),
    ended: after.ended.filter((view) => !known.has(view)),
    throughput: {
      last: after.throughput.last,
      bytes: after.throughput.bytes.slice(-RECENT_BUCKETS),
    },
  }
}

function changedFields(before: SessionView | undefined, after: SessionView): Partial<SessionView>[] {
  if (!before) return [after]
  const changed: Partial<SessionView> = Object.fromEntries(
    Object.entries(after).filter(([name, value]) => Reflect.get(before, name) !== value),
  )
  return Object.keys(changed).length === 0 ? [] : [{ uploadId: after.uploadId, ...changed }]
}
