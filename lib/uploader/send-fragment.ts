import type { AckFields } from './ack.js'
import { BitsClientError } from './client-error.js'
import type { FragmentSize } from './fragment-size.js'
import { reactionTo } from './retry-policy.js'
import type { UploadContext } from './upload-context.js'

/** Sends the bytes from `offset` on, as many as `size` says, and adapts the size to the outcome. */
export async function sendFragment(
  { file, host, reporter, contentName, send }: UploadContext,
  size: FragmentSize,
  sessionId: string | undefined,
  offset: number,
): Promise<AckFields> {
  const end = Math.min(offset + size.bytes, file.size)
  const length = end - offset
  const range = { first: offset, last: end - 1, total: file.size }
  let sent = offset
  const onSent = (bytes: number): void => {
    sent += bytes
    reporter.progress({ sent, acknowledged: offset, total: file.size })
  }
  try {
    const ack = await send(host.url, { type: 'Fragment', sessionId, contentName, range, length }, onSent)
    size.acknowledged()
    return ack
  } catch (error) {
    throw error instanceof BitsClientError ? afterFailure(error, size, length) : error
  }
}

function afterFailure(error: BitsClientError, size: FragmentSize, length: number): BitsClientError {
  if (error.status === undefined) size.interrupted()
  if (reactionTo(error) !== 'smaller-fragment' || size.refused(length)) return error
  const message = `The server finds even a fragment of ${length} bytes too large (413).`
  const { packet, status, hresult, context } = error
  return new BitsClientError(message, { packet, status, hresult, context, fatal: true, cause: error })
}
