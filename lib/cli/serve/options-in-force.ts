import type { Command, Option } from 'commander'
import type { BitsUploadOptions } from 'express-bits-upload'
import { bandwidthLimits } from '../../options/bandwidth.js'
import { maskUserInfo } from '../../options/notification.js'
import { maxSessionsOf, readOptions } from '../../options/settings.js'
import { duration, rate, size, timeout } from '../values.js'
import { hasUsers } from './access.js'
import { DIRECTORY_KEY } from './config/directory-entries.js'
import { keyOf, scopeOf } from './config/option-scope.js'
import type { ConfiguredDirectory } from './directories/configured-directory.js'
import type { ServeFlags } from './flags.js'
import { shownRedisUrl } from './stores/redis-url.js'

/** Flags that are not settings: they add to others. */
const NOT_SHOWN: ReadonlySet<string> = new Set(['iis', 'iisFile'])

/** How users are identified: for a directory, and for the pages of the server as a whole. */
const ACCESS: ReadonlySet<string> = new Set(['htpasswd', 'negotiate', 'service', 'keytab', 'realm'])

type Row = readonly [name: string, value: string]

/**
 * The settings that a server would have, one per line: first those of the server as a whole, then those of each
 * directory. They come from flags, IIS properties, and the defaults of the rest. Secrets are masked.
 *
 * @param flags of the server as a whole.
 */
export function describeOptions(
  directories: readonly ConfiguredDirectory[],
  command: Command,
  flags: ServeFlags,
): string {
  const options = command.options.filter((option) => !NOT_SHOWN.has(option.attributeName()))
  const ofServer = options.filter(
    (option) =>
      scopeOf(option) === 'server' || (directories.length > 1 && ACCESS.has(option.attributeName())),
  )
  const ofDirectory = options.filter((option) => scopeOf(option) === 'directory')
  const blocks = [
    rowsFor(ofServer, flags),
    ...directories.map(({ stores, flags: own, options: upload }): Row[] => [
      [DIRECTORY_KEY, show(stores.directory, undefined)],
      ...rowsFor(ofDirectory, { ...own, ...settingsInForce(upload, own) }),
    ]),
  ]
  const width = Math.max(...blocks.flat().map(([name]) => name.length))
  return blocks
    .map((rows) => rows.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join(''))
    .join('\n')
}

const rowsFor = (options: readonly Option[], values: object): Row[] =>
  options.map((option) => [
    `--${keyOf(option)}`,
    show(Reflect.get(values, option.attributeName()), option.parseArg),
  ])

/** By the names of the flags. */
function settingsInForce(options: BitsUploadOptions, flags: ServeFlags): object {
  const { onUpload, redis } = flags
  const settings = readOptions(options)
  const { notification } = settings
  const bandwidth = bandwidthLimits(settings.maxBandwidth)
  const user = hasUsers(flags) ? 'some user' : undefined
  return {
    ...settings,
    maxSessionsPerUser: maxSessionsOf(user, settings),
    onUpload,
    redis: redis && shownRedisUrl(redis),
    maxBandwidth: bandwidth.total,
    maxSessionBandwidth: bandwidth.perSession,
    notifyUrl: notification && maskUrl(notification.url),
    notifyType: notification?.type,
    notifyTimeout: notification && (notification.timeout ?? 'default'),
    notifyHeader: notification?.headers && Object.keys(notification.headers).map((name) => `${name}: ***`),
  }
}

/** Without user, password and the values of the query. */
function maskUrl(url: string): string {
  const [location = '', ...query] = maskUserInfo(url).split('?')
  return query.length === 0 ? location : `${location}?${query.join('?').replace(/=[^&]*/g, '=***')}`
}

function show(value: unknown, parse: unknown): string {
  if (value === undefined || value === Number.POSITIVE_INFINITY)
    return value === undefined ? '-' : 'unlimited'
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (Array.isArray(value)) return value.join(', ')
  if (typeof value !== 'number') return String(value)
  const text = value.toLocaleString('en')
  if (parse === duration || parse === timeout) return `${text} s`
  if (parse === rate) return `${text} bytes/s`
  return parse === size ? `${text} bytes` : String(value)
}
