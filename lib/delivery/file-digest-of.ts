import type { FileDigest } from '../../types/digest.js'
import type { SessionRecord } from '../../types/session.js'
import type { ServerSettings } from '../options/upload-options.js'
import { parseReprDigest } from '../protocol/parse-repr-digest.js'

type HashSetting = Pick<ServerSettings, 'hash'>

/** The algorithms that an upload needs: the option's, and those of the checksums that its client expects. */
export function algorithmsFor(
  { expectedDigest }: SessionRecord,
  { hash }: HashSetting,
): FileDigest['algorithm'][] {
  if (expectedDigest === undefined) return hash === undefined ? [] : [hash]
  const expected = parseReprDigest(expectedDigest).map(({ algorithm }) => algorithm)
  return [...new Set(hash === undefined ? expected : [hash, ...expected])]
}

/** The checksum for the application: with the option's algorithm, otherwise the strongest that was computed. */
export function fileDigestOf({ digest }: SessionRecord, { hash }: HashSetting): FileDigest | undefined {
  if (digest === undefined) return undefined
  const digests = parseReprDigest(digest)
  return digests.find(({ algorithm }) => algorithm === hash) ?? digests.at(-1)
}
