import type { Request, Response } from 'express'
import { changesBetween } from './changes.js'
import type { Frame } from './frame.js'
import type { SessionOverview } from './overview.js'

/** Milliseconds between two messages to a page. They also keep proxies from closing a quiet stream. */
const UPDATE_INTERVAL = 1_000
/** Pages that may be open at the same time. */
const MAX_VIEWERS = 200
/** Bytes a page may lag behind before its stream is ended; it reconnects by itself and gets a new snapshot. */
const MAX_BACKLOG = 256 * 1024

/** Server-sent events for open pages: `snapshot` once, then `update` once a second. */
export class ViewerStreams {
  readonly #overview: SessionOverview
  readonly #viewers = new Set<Response>()
  #opening = 0
  #frame: Frame | undefined
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(overview: SessionOverview) {
    this.#overview = overview
  }

  async open(req: Request, res: Response): Promise<void> {
    if (this.#closed || this.#viewers.size + this.#opening >= MAX_VIEWERS) {
      res.set('Retry-After', '10').sendStatus(503)
      return
    }
    this.#opening += 1
    try {
      await this.#overview.watch()
    } finally {
      this.#opening -= 1
    }
    if (this.#closed || req.destroyed) {
      res.end()
      return
    }
    res.set({
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-store, no-transform',
      'X-Accel-Buffering': 'no',
    })
    this.#frame ??= this.#overview.frame()
    res.write(`retry: 1000\n\n${eventMessage('snapshot', this.#frame)}`)
    this.#viewers.add(res)
    this.#timer ??= setInterval(() => this.#update(), UPDATE_INTERVAL).unref()
    res.on('close', () => this.#remove(res))
  }

  close(): void {
    this.#closed = true
    this.#overview.close()
    for (const res of this.#viewers) res.end()
    this.#viewers.clear()
    this.#pause()
  }

  #update(): void {
    void this.#overview.watch()
    const before = this.#frame
    const after = this.#overview.frame()
    this.#frame = after
    if (!before) return
    const text = eventMessage('update', changesBetween(before, after))
    for (const res of this.#viewers) {
      if (res.writableLength > MAX_BACKLOG) res.destroy()
      else res.write(text)
    }
  }

  #remove(res: Response): void {
    this.#viewers.delete(res)
    if (this.#viewers.size === 0) this.#pause()
  }

  #pause(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#frame = undefined
  }
}

/** JSON has no line breaks of its own, so one `data` line carries it. */
const eventMessage = (name: string, data: unknown): string =>
  `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
