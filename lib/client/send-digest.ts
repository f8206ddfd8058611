import { createHash } from 'node:crypto'
import type { FileDigest } from '../../types/digest.js'
import { formatReprDigest } from '../protocol/repr-digest.js'
import type { SendPacket } from '../uploader/packet.js'
import type { UploadSource } from './upload-source.js'

interface DigestOptions {
  readonly digest?: FileDigest['algorithm'] | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Adds the checksum of the file to each Create-Session. It reads the file once, when the first Create-Session is sent.
 */
export function sendDigest(send: SendPacket, file: UploadSource, options: DigestOptions): SendPacket {
  const { digest: algorithm, signal } = options
  if (algorithm === undefined) return send
  let digest: string | undefined
  return async (url, packet, onSent) => {
    if (packet.type !== 'Create-Session') return send(url, packet, onSent)
    digest ??= await reprDigestOf(file, algorithm, signal)
    return send(url, { ...packet, digest }, onSent)
  }
}

async function reprDigestOf(
  file: UploadSource,
  algorithm: FileDigest['algorithm'],
  signal: AbortSignal | undefined,
): Promise<string> {
  const hash = createHash(algorithm)
  for await (const chunk of file.read(0, file.size)) {
    signal?.throwIfAborted()
    hash.update(chunk)
  }
  return formatReprDigest([{ algorithm, value: hash.digest('hex') }])
}
