import {
  type Attributes,
  type Context,
  type Span,
  type SpanContext,
  SpanStatusCode,
  type Tracer,
} from '@opentelemetry/api'
import type { OperationTrace, PacketTrace } from 'express-bits-upload'
import { asError, errorCode } from '../util/errors.js'

/** Starts the span of a packet. */
export function packetSpan(
  tracer: Tracer,
  { packet, bytes, path, uploadId }: PacketTrace,
  parent: Context,
  created: SpanContext | undefined,
): Span {
  const attributes: Attributes = { 'http.request.body.size': bytes, 'url.path': path }
  if (packet !== undefined) attributes['bits.packet'] = packet
  if (uploadId !== undefined) attributes['bits.upload.id'] = uploadId
  const links = created === undefined ? [] : [{ context: created }]
  return tracer.startSpan(`bits ${packet ?? 'unknown'}`, { attributes, links }, parent)
}

/** As for every HTTP server, 4xx is the client's failure, not the server's. */
export function endPacket(span: Span, { uploadId, status, hresult }: PacketTrace): void {
  if (uploadId !== undefined) span.setAttribute('bits.upload.id', uploadId)
  if (hresult !== undefined) span.setAttribute('bits.error_code', hresult)
  if (status !== undefined) span.setAttribute('http.response.status_code', status)
  if (status === undefined) span.addEvent('client disconnected')
  else if (status >= 500) {
    span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', String(status))
  }
  span.end()
}

/** Starts the span of a call of a storage, a session store or the application. */
export function operationSpan(
  tracer: Tracer,
  { on, operation, uploadId }: OperationTrace,
  parent: Context,
): Span {
  const attributes: Attributes = uploadId === undefined ? {} : { 'bits.upload.id': uploadId }
  return tracer.startSpan(`bits ${on}.${operation}`, { attributes }, parent)
}

export function endOperation(span: Span, { bytes, error }: OperationTrace): void {
  if (bytes !== undefined) span.setAttribute('bits.stored_bytes', bytes)
  if (error !== undefined) fail(span, error)
  span.end()
}

function fail(span: Span, thrown: unknown): void {
  const error = asError(thrown)
  span.recordException(error)
  span.setStatus({ code: SpanStatusCode.ERROR, message: error.message })
  span.setAttribute('error.type', errorCode(error) ?? error.name)
}
