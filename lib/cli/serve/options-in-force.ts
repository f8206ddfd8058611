import type { Command } from 'commander'
import type { BitsUploadOptions } from 'express-bits-upload'
import { bandwidthLimits } from '../../options/bandwidth.js'
import { maskUserInfo } from '../../options/notification.js'
import { maxSessionsOf, readOptions } from '../../options/settings.js'
import { duration, rate, size, timeout } from '../values.js'
import type { ServeFlags } from './flags.js'
import { shownRedisUrl } from './stores/redis-url.js'

/** Flags that are not settings of the server. */
const NOT_SHOWN: ReadonlySet<string> = new Set(['help', 'check', 'iis', 'iisFile', 'config'])

/**
 * The settings that a server with these flags would have, one per line: flags, IIS properties, and the defaults of the
 * rest. Secrets are masked.
 *
 * @param options what the flags and IIS properties set of `bitsUpload()`.
 */
export function describeOptions(
  directory: string | undefined,
  command: Command,
  flags: ServeFlags,
  options: BitsUploadOptions,
): string {
  const values = { ...flags, ...settingsInForce(options, flags) }
  const rows = command.options
    .filter((option) => !NOT_SHOWN.has(option.attributeName()))
    .map((option): [string, string] => {
      const value: unknown = Reflect.get(values, option.attributeName())
      return [
        option.negate ? option.attributeName() : (option.long ?? option.flags),
        show(value, option.parseArg),
      ]
    })
    .map(([name, value]): [string, string] => [
      name === 'createDirectories' ? '--create-directories' : name,
      value,
    ])
  const all: [string, string][] = [['directory', show(directory, undefined)], ...rows]
  const width = Math.max(...all.map(([name]) => name.length))
  return all.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join('')
}

/** By the names of the flags. */
function settingsInForce(
  options: BitsUploadOptions,
  { htpasswd, negotiate, tlsClientCa, onUpload, redis }: ServeFlags,
): object {
  const settings = readOptions(options)
  const { notification } = settings
  const bandwidth = bandwidthLimits(settings.maxBandwidth)
  const isOpen = htpasswd === undefined && !negotiate && tlsClientCa === undefined
  const user = isOpen ? undefined : 'some user'
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
