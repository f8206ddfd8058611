import { AsyncLocalStorage } from 'node:async_hooks'
import { context, diag, type Span, type SpanContext, type TracerProvider, trace } from '@opentelemetry/api'
import type { OperationTrace, PacketTrace } from 'express-bits-upload'
import { operationChannel, packetChannel } from '../tracing/channels.js'
import { BoundedMap } from '../util/bounded-map.js'
import { endOperation, endPacket, operationSpan, packetSpan } from './spans.js'

/** Options of {@link traceUploads}. */
export interface TraceUploadsOptions {
  /** Default: the provider that the application registers globally, even if it does so later. */
  tracerProvider?: TracerProvider | undefined
}

/** Spans being created. */
export interface UploadTracing {
  /** Stops creating spans, and ends those that have begun. */
  close(): void
}

/** Sessions whose first span is remembered, so that their later packets can link to it: about 2 MB. */
const MAX_LINKED_SESSIONS = 10_000

/**
 * Creates a span `bits Fragment` (and so on) for each packet that any `bitsUpload()` of this process answers, and
 * within it a span `bits storage.append` for each call of a storage, a session store or the application. Call it once,
 * before or after the application has registered its tracer provider.
 *
 * Each packet is a child of the HTTP server's span if there is one. Packets link to the one that created their session.
 *
 * @example traceUploads()
 */
export function traceUploads(options: TraceUploadsOptions = {}): UploadTracing {
  const { tracerProvider = trace } = options
  const tracer = tracerProvider.getTracer('express-bits-upload')
  const spans = new Map<object, Span>()
  const sessions = new BoundedMap<string, SpanContext>(MAX_LINKED_SESSIONS)
  /** The span in which calls are made. Only the context manager could make it the application's active span. */
  const current = new AsyncLocalStorage<Span | undefined>()

  const startPacket = (message: PacketTrace): Span => {
    const created = message.uploadId === undefined ? undefined : sessions.get(message.uploadId)
    return packetSpan(tracer, message, context.active(), created)
  }
  const startOperation = (message: OperationTrace): Span => {
    const parent = current.getStore()
    const active = context.active()
    return operationSpan(tracer, message, parent ? trace.setSpan(active, parent) : active)
  }
  const onPacketEnd = (message: PacketTrace): void => {
    const span = spans.get(message)
    spans.delete(message)
    if (!span) return
    rememberSession(sessions, span, message)
    endPacket(span, message)
  }
  const onOperationEnd = (message: OperationTrace): void => {
    const span = spans.get(message)
    spans.delete(message)
    if (span) endOperation(span, message)
  }
  const begin =
    <Message extends object>(start: (message: Message) => Span) =>
    (message: Message): Span | undefined =>
      guarded(() => {
        const span = start(message)
        spans.set(message, span)
        return span
      })
  const packetEnded = (message: unknown) => guarded(() => Reflect.apply(onPacketEnd, undefined, [message]))
  const operationEnded = (message: unknown) =>
    guarded(() => Reflect.apply(onOperationEnd, undefined, [message]))

  packetChannel.start.bindStore(current, begin(startPacket))
  operationChannel.start.bindStore(current, begin(startOperation))
  packetChannel.asyncEnd.subscribe(packetEnded)
  operationChannel.asyncEnd.subscribe(operationEnded)
  return {
    close() {
      packetChannel.start.unbindStore(current)
      operationChannel.start.unbindStore(current)
      packetChannel.asyncEnd.unsubscribe(packetEnded)
      operationChannel.asyncEnd.unsubscribe(operationEnded)
      for (const span of spans.values()) guarded(() => span.end())
      spans.clear()
    },
  }
}

/** An ended session gets no more links. */
function rememberSession(
  sessions: BoundedMap<string, SpanContext>,
  span: Span,
  { packet, uploadId, status }: PacketTrace,
): void {
  if (uploadId === undefined || status !== 200) return
  if (packet === 'Create-Session') sessions.set(uploadId, span.spanContext())
  else if (packet === 'Close-Session' || packet === 'Cancel-Session') sessions.delete(uploadId)
}

/** An exception from a channel subscriber would end the process, and a span processor of the application may throw. */
function guarded<Result>(work: () => Result): Result | undefined {
  try {
    return work()
  } catch (error) {
    diag.error('express-bits-upload: a span was lost.', error)
    return undefined
  }
}
