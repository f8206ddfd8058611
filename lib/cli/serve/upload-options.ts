import { isDeepStrictEqual } from 'node:util'
import { type BitsUploadOptions, FileSessionStore, FileStorage, type IisOptions } from 'express-bits-upload'
import { defined } from '../../util/objects.js'
import { usageError } from '../output.js'
import type { ServeFlags } from './flags.js'
import { optionsOfIis } from './iis-properties.js'
import { notificationOf } from './notification.js'

/**
 * Derives the options of `bitsUpload()` from flags and IIS properties.
 *
 * @throws CliError when they contradict each other.
 */
export async function uploadOptions(directory: string, flags: ServeFlags): Promise<BitsUploadOptions> {
  const { durability, createDirectories, maxFragmentSize, trustSessionId, acceptPost, maxSessionBandwidth } =
    flags
  const { shared } = flags
  const iis = await optionsOfIis(flags)
  const own = ownOptions(flags)
  for (const [name, flag] of OVERLAP) {
    if (own[name] === undefined || iis[name] === undefined || isDeepStrictEqual(own[name], iis[name]))
      continue
    throw usageError(`${flag} contradicts the IIS properties: give one of them.`)
  }
  if (own.hostIdFallbackTimeout !== undefined && (own.hostId ?? iis.hostId) === undefined) {
    throw usageError('--host-id-fallback-timeout is for --host-id: give that, too.')
  }
  const total = own.maxBandwidth ?? iis.maxBandwidth
  return {
    ...iis,
    ...own,
    ...defined({ notification: await notificationOf(flags, iis.notification) }),
    ...(maxSessionBandwidth !== undefined && {
      maxBandwidth: { perSession: maxSessionBandwidth, ...(typeof total === 'number' && { total }) },
    }),
    maxFragmentSize,
    trustSessionId,
    acceptPost,
    storage: new FileStorage({ directory, createDirectories, durability }),
    ...(shared && {
      sessionStore: new FileSessionStore({ directory, durable: durability === 'fragment', shared }),
    }),
  }
}

/** Options that flags and IIS properties both can set. */
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
