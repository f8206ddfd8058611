import type { BitsUploadOptions } from '../../types/options.js'
import { applicationError } from './application-error.js'
import { type Arrival, arrivedUpload, type DeliveryPlace, type TellApplication } from './arrival.js'
import { keepReply } from './keep-reply.js'
import { type ReadAnswer, readAnswer } from './upload-answer.js'

type OnUpload = NonNullable<BitsUploadOptions['onUpload']>

/** Delivery in process: the option `onUpload` is the server application. */
export const callOnUpload =
  (onUpload: OnUpload): TellApplication =>
  async (arrival: Arrival, place: DeliveryPlace) => {
    const { publish, reply } = await ask(onUpload, arrival, place)
    return { publish, replyUrl: reply && (await keepReply(reply, arrival, place, applicationError)) }
  }

/** What `onUpload` throws is its own; what the storage throws before and after is not. */
async function ask(onUpload: OnUpload, arrival: Arrival, place: DeliveryPlace): Promise<ReadAnswer> {
  const upload = arrivedUpload(arrival, place)
  try {
    return readAnswer(await onUpload(upload, arrival.req))
  } catch (error) {
    throw applicationError(error)
  }
}
