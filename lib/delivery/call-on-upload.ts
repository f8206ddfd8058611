import type { Readable } from 'node:stream'
import type { BitsUploadOptions } from '../../types/options.js'
import { applicationError } from './application-error.js'
import { type Arrival, arrivedUpload, type DeliveryPlace, type TellApplication } from './arrival.js'
import { type ReadAnswer, readAnswer } from './read-answer.js'
import { keepReply } from './store-reply.js'

type OnUpload = NonNullable<BitsUploadOptions['onUpload']>

/** Delivery in process: the option `onUpload` is the server application. */
export const callOnUpload =
  (onUpload: OnUpload): TellApplication =>
  async (arrival: Arrival, place: DeliveryPlace) => {
    const streams = new Set<Readable>()
    try {
      const { publish, reply } = await ask(onUpload, arrival, place, streams)
      return { publish, replyUrl: reply && (await keepReply(reply, arrival, place, applicationError)) }
    } finally {
      // The reply may be one of them, or be read from one.
      for (const stream of streams) stream.destroy()
    }
  }

/** What `onUpload` throws is its own; what the storage throws before and after is not. */
async function ask(
  onUpload: OnUpload,
  arrival: Arrival,
  place: DeliveryPlace,
  streams: Set<Readable>,
): Promise<ReadAnswer> {
  const upload = arrivedUpload(arrival, place, streams)
  try {
    return readAnswer(await onUpload(upload, arrival.req))
  } catch (error) {
    throw applicationError(error)
  }
}
