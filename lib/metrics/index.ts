import type { BitsUpload, OperationTrace, PacketTrace, SessionInfo, UploadedFile } from 'express-bits-upload'
import { type Registry, register } from 'prom-client'
import { HRESULT } from '../protocol/hresult.js'
import { operationChannel, packetChannel } from '../tracing/channels.js'
import { instrumentsOf } from './instruments.js'

/** Options of {@link metrics}. */
export interface MetricsOptions {
  /** Default: the global registry of prom-client. */
  registry?: Registry | undefined
  /** Prefix of the metrics' names. Default: `bits_upload_`. */
  prefix?: string | undefined
}

/** Metrics being collected. */
export interface BitsMetrics {
  /** Stops counting. The values stay in the registry, for a last scrape. */
  close(): void
}

/** Nginx's status for a client that disconnected before the response. */
const DISCONNECTED_STATUS = '499'
const KNOWN_HRESULTS: ReadonlySet<number> = new Set(Object.values(HRESULT))

/**
 * Counts what a `bitsUpload()` does in a registry of prom-client. Several may share a registry: with the same prefix
 * they add up, with different ones they stay separate. No label contains a file name, a user or an id.
 *
 * @example metrics(bits); app.get('/metrics', async (_req, res) => res.type(register.contentType).send(await register.metrics()))
 */
export function metrics(bits: BitsUpload, options: MetricsOptions = {}): BitsMetrics {
  const { registry = register, prefix = 'bits_upload_' } = options
  const counts = instrumentsOf(registry, prefix)
  const started = new WeakMap<object, number>()
  /** Seconds since the start of something that began after the subscription. */
  const secondsSince = (message: object): number | undefined => {
    const start = started.get(message)
    started.delete(message)
    return start === undefined ? undefined : (performance.now() - start) / 1000
  }
  const begin = (message: PacketTrace | OperationTrace): void => {
    if (message.bits === bits) started.set(message, performance.now())
  }
  const packets = {
    start(message: PacketTrace) {
      begin(message)
      if (message.bits === bits) counts.packetsInFlight.inc()
    },
    asyncEnd(message: PacketTrace) {
      const seconds = secondsSince(message)
      if (seconds === undefined) return
      const packet = message.packet ?? 'unknown'
      counts.packetsInFlight.dec()
      counts.packetDuration.observe({ packet }, seconds)
      const status = String(message.status ?? DISCONNECTED_STATUS)
      counts.packets.inc({ packet, status, hresult: hresultLabel(message.hresult) })
    },
  }
  const operations = {
    start: begin,
    asyncEnd(message: OperationTrace) {
      const seconds = secondsSince(message)
      if (seconds === undefined) return
      const { on, operation, bytes = 0 } = message
      const outcome = message.error === undefined ? 'ok' : 'error'
      counts.operationDuration.observe({ on, operation, outcome }, seconds)
      if (operation === 'append' && bytes > 0) counts.receivedBytes.inc(bytes)
    },
  }
  const onSession = () => counts.sessions.inc({ event: 'created' })
  const onCancelled = () => counts.sessions.inc({ event: 'cancelled' })
  const onExpired = () => counts.sessions.inc({ event: 'expired' })
  const onError = () => counts.errors.inc()
  const onUploaded = ({ session, size }: UploadedFile) => {
    counts.sessions.inc({ event: 'uploaded' })
    counts.fileSize.observe(size)
    counts.uploadDuration.observe(ageOf(session))
  }
  bits.on('session', onSession).on('cancelled', onCancelled).on('expired', onExpired)
  bits.on('error', onError).on('uploaded', onUploaded)
  const unsubscribe = [
    subscribe(packetChannel.start, packets.start),
    subscribe(packetChannel.asyncEnd, packets.asyncEnd),
    subscribe(operationChannel.start, operations.start),
    subscribe(operationChannel.asyncEnd, operations.asyncEnd),
  ]
  let isClosed = false
  return {
    close() {
      if (isClosed) return
      isClosed = true
      for (const stop of unsubscribe) stop()
      bits.off('session', onSession).off('cancelled', onCancelled).off('expired', onExpired)
      bits.off('error', onError).off('uploaded', onUploaded)
    },
  }
}

interface Subscribable<Message> {
  subscribe(listener: (message: Message, name: string | symbol) => void): void
  unsubscribe(listener: (message: Message, name: string | symbol) => void): void
}

function subscribe<Message>(
  channel: Subscribable<unknown> & { readonly name: string | symbol },
  listener: (message: Message) => void,
): () => void {
  const onMessage = (message: unknown) => Reflect.apply(listener, undefined, [message])
  channel.subscribe(onMessage)
  return () => channel.unsubscribe(onMessage)
}

const ageOf = ({ createdAt }: SessionInfo): number => Math.max(Date.now() - createdAt.getTime(), 0) / 1000

/** Applications may choose codes of their own: those count together, so that the number of series stays bounded. */
function hresultLabel(hresult: string | undefined): string {
  if (hresult === undefined) return ''
  const isKnown = KNOWN_HRESULTS.has(Number(hresult)) || /^0x80190[12][0-9A-F]{2}$/.test(hresult)
  return isKnown ? hresult : 'other'
}
