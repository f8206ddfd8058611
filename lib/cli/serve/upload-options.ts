import { isDeepStrictEqual } from 'node:util'
import type { BitsUploadOptions, IisOptions } from 'express-bits-upload'
import { defined } from '../../util/objects.js'
import { usageError } from '../output.js'
import type { ServeFlags } from './flags.js'
import { optionsOfIis } from './iis-properties.js'
import { notificationOf } from './notification.js'
import type { ServeStores } from './stores/stores.js'

/**
 * Derives the options of `bitsUpload()` from flags and IIS properties.
 *
 * @throws CliError when they contradict each other.
 */
export async function uploadOptions(
  { storage, sessionStore, directory }: ServeStores,
  flags: ServeFlags,
): Promise<BitsUploadOptions> {
  const { maxFragmentSize, trustSessionId, acceptPost, maxSessionBandwidth, hash } = flags
  const iis = await optionsOfIis(flags)
  const own = ownOptions(flags)
  for (const [name, flag] of OVERLAP) {
    if (own[name] === undefined || iis[name] === undefined || isDeepStrictEqual(own[name], iis[name]))
      continue
    throw usageError(`${flag} contradicts the IIS properties: use only one of them.`)
  }
  if (own.hostIdFallbackTimeout !== undefined && (own.hostId ?? iis.hostId) === undefined) {
    throw usageError('--host-id-fallback-timeout needs --host-id: use that, too.')
  }
  const notification = await notificationOf(flags, iis.notification)
  if (directory === undefined && notification?.type === 'by-reference') {
    throw usageError(
      'a notification by reference names the path of a file, and files in S3 have none: use --notify-type by-value.',
    )
  }
  const total = own.maxBandwidth ?? iis.maxBandwidth
  return {
    ...iis,
    ...own,
    ...defined({ notification, sessionStore }),
    ...(maxSessionBandwidth !== undefined && {
      maxBandwidth: { perSession: maxSessionBandwidth, ...(typeof total === 'number' && { total }) },
    }),
    maxFragmentSize,
    trustSessionId,
    acceptPost,
    hash,
    storage,
  }
}

/** Options that flags and IIS properties can both set. */
const OVERLAP: readonly (readonly [name: keyof IisOptions, flag: string])[] = [
  ['maxUploadSize', '--max-upload-size'],
  ['overwrite', '--overwrite'],
  ['sessionTimeout', '--session-timeout'],
  ['hostId', '--host-id'],
  ['hostIdFallbackTimeout', '--host-id-fallback-timeout'],
  ['maxSessionsPerUser', '--max-sessions-per-user'],
  ['cleanupInterval', '--cleanup-interval'],
  ['maxBandwidth', '--max-bandwidth'],
]

function ownOptions(flags: ServeFlags): IisOptions {
  const { maxUploadSize, overwrite, sessionTimeout, hostId, hostIdFallbackTimeout } = flags
  const { maxSessionsPerUser, cleanupInterval, maxBandwidth } = flags
  return defined({
    maxUploadSize,
    overwrite,
    sessionTimeout,
    hostId,
    hostIdFallbackTimeout,
    maxSessionsPerUser,
    cleanupInterval,
    maxBandwidth,
  })
}
