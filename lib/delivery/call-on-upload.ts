import type { Readable } from 'node:stream'
import type { BitsUploadOptions } from '../../types/options.js'
import { applicationError } from './application-error.js'
import {
  type CompletedRequest,
  completedUpload,
  type DeliverToApplication,
  type DeliveryContext,
} from './completed-upload.js'
import { type ParsedResponse, parseResponse } from './parse-response.js'
import { storeReply } from './store-reply.js'

type OnUpload = NonNullable<BitsUploadOptions['onUpload']>

/** Delivery in this process: the option `onUpload` is the server application. */
export const callOnUpload =
  (onUpload: OnUpload): DeliverToApplication =>
  async (completed: CompletedRequest, context: DeliveryContext) => {
    const streams = new Set<Readable>()
    try {
      const { publish, reply } = await ask(onUpload, completed, context, streams)
      return { publish, replyUrl: reply && (await storeReply(reply, completed, context, applicationError)) }
    } finally {
      // Not earlier: the reply may be one of these streams, or be read from one.
      for (const stream of streams) stream.destroy()
    }
  }

/** Errors from `onUpload` are attributed to the application; errors of the storage before and after it are not. */
async function ask(
  onUpload: OnUpload,
  completed: CompletedRequest,
  context: DeliveryContext,
  streams: Set<Readable>,
): Promise<ParsedResponse> {
  const upload = completedUpload(completed, context, streams)
  try {
    return parseResponse(await onUpload(upload, completed.req))
  } catch (error) {
    throw applicationError(error)
  }
}
