import type { Readable } from 'node:stream'
import type { BitsUploadOptions } from '../../types/options.js'
import { applicationError } from './application-error.js'
import {
  type CompletedRequest,
  completedUpload,
  type DeliverToApplication,
  type DeliveryContext,
} from './arrival.js'
import { type ParsedResponse, parseResponse } from './read-answer.js'
import { storeReply } from './store-reply.js'

type OnUpload = NonNullable<BitsUploadOptions['onUpload']>

/** Delivery in process: the option `onUpload` is the server application. */
export const callOnUpload =
  (onUpload: OnUpload): DeliverToApplication =>
  async (completed: CompletedRequest, place: DeliveryContext) => {
    const streams = new Set<Readable>()
    try {
      const { publish, reply } = await ask(onUpload, completed, place, streams)
      return { publish, replyUrl: reply && (await storeReply(reply, completed, place, applicationError)) }
    } finally {
      // The reply may be one of them, or be read from one.
      for (const stream of streams) stream.destroy()
    }
  }

/** What `onUpload` throws is its own; what the storage throws before and after is not. */
async function ask(
  onUpload: OnUpload,
  completed: CompletedRequest,
  place: DeliveryContext,
  streams: Set<Readable>,
): Promise<ParsedResponse> {
  const upload = completedUpload(completed, place, streams)
  try {
    return parseResponse(await onUpload(upload, completed.req))
  } catch (error) {
    throw applicationError(error)
  }
}
