import { Readable } from 'node:stream'
import type { Reply, UploadAnswer } from '../../types/delivery.js'
import type { BitsUploadOptions } from '../../types/options.js'
import { applicationError } from './application-error.js'
import { type Arrival, arrivedUpload, type DeliveryPlace, type TellApplication } from './arrival.js'
import { keepReply } from './keep-reply.js'

type OnUpload = NonNullable<BitsUploadOptions['onUpload']>

/** Delivery in process: the option `onUpload` is the server application. */
export const callOnUpload =
  (onUpload: OnUpload): TellApplication =>
  async (arrival: Arrival, place: DeliveryPlace) => {
    const { reply, publish = true } = await ask(onUpload, arrival, place)
    const replyUrl =
      reply === undefined ? undefined : await keepReply(reply, arrival, place, applicationError)
    return { publish, replyUrl }
  }

/** What `onUpload` throws is its own; what the storage throws before and after is not. */
async function ask(onUpload: OnUpload, arrival: Arrival, place: DeliveryPlace): Promise<UploadAnswer> {
  const upload = arrivedUpload(arrival, place)
  try {
    return asAnswer(await onUpload(upload, arrival.req))
  } catch (error) {
    throw applicationError(error)
  }
}

function asAnswer(value: Awaited<ReturnType<OnUpload>>): UploadAnswer {
  if (!value) return {}
  return isReply(value) ? { reply: value } : value
}

const isReply = (value: UploadAnswer | Reply): value is Reply =>
  typeof value === 'string' ||
  value instanceof Uint8Array ||
  value instanceof Readable ||
  value instanceof URL
