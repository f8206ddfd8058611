import type { OperationTrace } from '../../types/tracing.js'
import { operationChannel } from '../tracing/channels.js'
import type { DeliverToApplication } from './completed-upload.js'

/** The same delivery, published on the tracing channel. */
export const traceDelivery =
  (
    { bits, operation }: Pick<OperationTrace, 'bits' | 'operation'>,
    deliver: DeliverToApplication,
  ): DeliverToApplication =>
  (completed, context) => {
    if (!operationChannel.hasSubscribers) return deliver(completed, context)
    const { uploadId } = completed.record
    const message: OperationTrace = { bits, on: 'delivery', operation, uploadId, bytes: undefined }
    return operationChannel.tracePromise(() => deliver(completed, context), message)
  }
