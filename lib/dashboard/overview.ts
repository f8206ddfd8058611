import type { FileDigest, SessionInfo } from 'express-bits-upload'
import { isFatal } from '../uploader/retry-policy.js'
import type { Frame } from './frame.js'
import type { BitsDashboardOptions } from './options.js'
import { PollLoop } from './poll-loop.js'
import { type DashboardSource, openSessions } from './sources.js'
import { BUCKETS, Throughput } from './throughput.js'
import { TodayTotals } from './today-totals.js'
import { type EndedView, endedView, type Outcome, type SessionView, sessionView } from './views.js'

/** Milliseconds without progress after which a session counts as waiting. */
const ACTIVE_FOR = 10_000
/** Maximum number of active sessions shown with a bar; the others are only in the list. */
const MAX_SHOWN = 20
/** Maximum number of finished and failed uploads shown. */
const MAX_ENDED = 20

interface Entry {
  readonly source: DashboardSource
  readonly info: SessionInfo
  /** Milliseconds since 1970. */
  readonly heard: number
  readonly rate: number
}

/**
 * The uploads of all sources, as a dashboard shows them: from the events of this process, and from `bits.sessions()`,
 * which also knows earlier runs and other machines. Sessions are kept in memory only while there are viewers.
 */
export class SessionOverview {
  readonly #sources: readonly DashboardSource[]
  readonly #actions: boolean
  readonly #throughput = new Throughput()
  readonly #sessions = new Map<string, Entry>()
  readonly #loop: PollLoop
  /** Ids of sessions that ended while they were being listed. */
  readonly #endedMeanwhile = new Set<string>()
  #ended: EndedView[] = []
  /** Ids of the sessions in the last frame: they keep their place while they are active. */
  #shown = new Set<string>()
  readonly #today = new TodayTotals()
  #unlisted = false

  constructor(
    sources: readonly DashboardSource[],
    { actions = false }: Pick<BitsDashboardOptions, 'actions'>,
  ) {
    this.#sources = sources
    this.#actions = actions
    this.#loop = new PollLoop(
      () => this.#poll(),
      () => this.#sessions.clear(),
    )
    for (const source of sources) this.#listen(source)
  }

  #listen(source: DashboardSource): void {
    const { bits } = source
    bits.on('session', (session) => this.#heard(session, source))
    bits.on('progress', (session) => this.#heard(session, source))
    bits.on('cancelled', (session) => this.#end(session, source, 'cancelled'))
    bits.on('expired', (session) => this.#end(session, source, 'expired'))
    bits.on('refused', (session, { status }) => {
      this.#remember(session, source, isFatal('Fragment', status, undefined) ? 'refused' : 'failed')
    })
    bits.on('uploaded', ({ session, size, digest }) => {
      this.#today.add(size)
      this.#end({ ...session, received: size }, source, 'uploaded', digest)
    })
    bits.on('error', (_error, { uploadId }) => {
      const entry = uploadId === undefined ? undefined : this.#sessions.get(uploadId)
      if (entry) this.#remember(entry.info, source, 'failed')
    })
  }

  /** Keeps the overview current for a few seconds. Resolves when it is complete for the first time. */
  watch(): Promise<void> {
    return this.#loop.keepRunning()
  }

  close(): void {
    this.#loop.stop()
  }

  /** All open sessions. */
  views(now = Date.now()): SessionView[] {
    const views: SessionView[] = []
    for (const { info, source, heard, rate } of this.#sessions.values()) {
      const { prefix } = source
      const active = now - heard < ACTIVE_FOR
      views.push(
        sessionView(info, { state: active ? 'active' : 'waiting', rate: active ? rate : 0, heard, prefix }),
      )
    }
    return views
  }

  frame(now = Date.now()): Frame {
    let rate = 0
    let waiting = 0
    const active: Entry[] = []
    for (const entry of this.#sessions.values()) {
      if (now - entry.heard >= ACTIVE_FOR) waiting += 1
      else {
        active.push(entry)
        rate += entry.rate
      }
    }
    const { files, bytes } = this.#today.at(now)
    return {
      now,
      totals: {
        active: active.length,
        waiting,
        rate: Math.round(rate),
        files,
        bytes,
        unlisted: this.#unlisted,
      },
      sessions: this.#choose(active).map(({ info, source: { prefix }, heard, rate }) =>
        sessionView(info, { state: 'active', rate, heard, prefix }),
      ),
      ended: this.#ended,
      throughput: this.#throughput.view(now, BUCKETS),
      actions: this.#actions,
    }
  }

  /** Sessions that are already shown, then others, up to the maximum; latest first. */
  #choose(active: readonly Entry[]): Entry[] {
    const before = active.filter(({ info }) => this.#shown.has(info.uploadId))
    const others = active.filter(({ info }) => !this.#shown.has(info.uploadId))
    const chosen = [...before, ...others].slice(0, MAX_SHOWN)
    this.#shown = new Set(chosen.map(({ info }) => info.uploadId))
    return chosen.sort((one, other) => other.info.createdAt.getTime() - one.info.createdAt.getTime())
  }

  #heard(info: SessionInfo, source: DashboardSource): void {
    const now = Date.now()
    this.#throughput.note(info.uploadId, info.received, now)
    // A repeated last fragment also causes progress.
    if (this.#loop.running && info.state === 'receiving')
      this.#sessions.set(info.uploadId, { info, source, heard: now, rate: info.rate })
  }

  #end(info: SessionInfo, source: DashboardSource, outcome: Outcome, digest?: FileDigest): void {
    this.#throughput.note(info.uploadId, info.received, Date.now())
    this.#throughput.forget(info.uploadId)
    this.#sessions.delete(info.uploadId)
    if (this.#loop.polling) this.#endedMeanwhile.add(info.uploadId)
    this.#remember(info, source, outcome, digest)
  }

  #remember(
    info: SessionInfo,
    { prefix, files }: DashboardSource,
    outcome: Outcome,
    digest?: FileDigest,
  ): void {
    const others = this.#ended.filter(({ uploadId }) => uploadId !== info.uploadId)
    const view = endedView(info, { outcome, at: Date.now(), prefix, files, digest })
    this.#ended = [view, ...others].slice(0, MAX_ENDED)
  }

  /** Reads all open sessions. Events since the start of reading are newer than what was read. */
  async #poll(): Promise<void> {
    const begin = Date.now()
    this.#endedMeanwhile.clear()
    const listings = await Promise.all(
      this.#sources.map(async (source) => ({ source, infos: await openSessions(source) })),
    )
    const now = Date.now()
    const listed = new Set<DashboardSource>()
    const present = new Set<string>()
    this.#unlisted = false
    for (const { source, infos } of listings) {
      if (infos === undefined) {
        this.#unlisted = true
        continue
      }
      listed.add(source)
      for (const info of infos) {
        if (info.state !== 'receiving' || this.#endedMeanwhile.has(info.uploadId)) continue
        present.add(info.uploadId)
        const before = this.#sessions.get(info.uploadId)
        if (before && before.heard >= begin) continue
        this.#sessions.set(info.uploadId, { ...merge(before, info, now), source })
        this.#throughput.note(info.uploadId, info.received, now)
      }
    }
    for (const [uploadId, { source, heard }] of this.#sessions) {
      if (listed.has(source) && !present.has(uploadId) && heard < begin) this.#sessions.delete(uploadId)
    }
  }
}

/** For a session on another machine, the rate is calculated from its progress since the last reading. */
function merge(before: Entry | undefined, info: SessionInfo, now: number): Omit<Entry, 'source'> {
  const activity = info.lastActivity.getTime()
  if (!before) return { info, heard: Math.min(activity, now), rate: info.rate }
  const grown = info.received - before.info.received
  if (grown <= 0) return { info, heard: Math.max(before.heard, Math.min(activity, now)), rate: info.rate }
  return { info, heard: now, rate: info.rate || (grown * 1000) / Math.max(now - before.heard, 1000) }
}
