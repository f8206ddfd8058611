import type { NotificationOptions } from '../../types/delivery.js'
import type { IisProperties } from '../../types/iis.js'
import type { BitsUploadOptions, Logger } from '../../types/options.js'
import { DEFAULT_HOST_ID_FALLBACK_TIMEOUT } from '../protocol/limits.js'
import { RESERVED_NAME } from '../protocol/reserved-folder.js'
import { isHostId } from './host-id.js'
import { refuseUnknownProperty } from './iis-property-names.js'
import {
  INFINITE,
  invalid,
  readBoolean,
  readInteger,
  readString,
  refuseOtherThanNumber,
} from './iis-values.js'
import { isNotification, maskUserInfo, NOTIFICATION_URL_EXPECTED } from './notification.js'

/** The options derived from IIS properties. */
export type IisOptions = Pick<
  BitsUploadOptions,
  | 'enabled'
  | 'maxUploadSize'
  | 'overwrite'
  | 'sessionTimeout'
  | 'notification'
  | 'hostId'
  | 'hostIdFallbackTimeout'
  | 'maxSessionsPerUser'
  | 'cleanupInterval'
  | 'maxBandwidth'
>

/** Largest BITSMaximumUploadSize, which is also the meaning of an empty one. */
const MAX_UPLOAD_SIZE = 1_844_674_407_370_955
/** Seconds and largest count of each of BITSCleanupUnits: minutes, hours, days. */
const CLEANUP_UNITS = [
  { seconds: 60, max: 60 },
  { seconds: 60 * 60, max: 24 },
  { seconds: 24 * 60 * 60, max: 360 },
] as const
/** Maximum seconds between two sweeps: the limit of timers. */
const MAX_CLEANUP = 24 * 24 * 60 * 60

type WarnOfProperty = (message: string) => void

/**
 * Turns the BITS properties of an IIS virtual directory into options. Values may be written as IIS writes them: numbers
 * and booleans as strings, -1 for an infinite DWORD, empty strings for unset values. Properties that are left out keep
 * the option's default. Settings without effect here are logged as warnings, to `console` unless another logger is
 * passed.
 *
 * @example app.use('/uploads', bitsUpload({ directory: 'D:\\uploads', ...iisOptions({ BITSAllowOverwrites: 1 }) }))
 * @throws TypeError that names a property that is unknown, invalid, or contradicts another.
 */
export function iisOptions(
  properties: IisProperties,
  { logger = console }: { readonly logger?: Pick<Logger, 'warn'> | undefined } = {},
): IisOptions {
  const warn: WarnOfProperty = (message) => logger.warn(`iisOptions(): ${message}.`)
  refuseUnknownProperty(properties)
  warnOfSessionDirectory(properties, warn)
  warnOfMaxConnections(properties, warn)
  return {
    ...optional('enabled', readBoolean(properties, 'BITSUploadEnabled')),
    ...optional('maxUploadSize', maxUploadSize(properties)),
    ...optional('overwrite', readBoolean(properties, 'BITSAllowOverwrites')),
    ...optional('sessionTimeout', readInteger(properties, 'BITSSessionTimeout', 1)),
    ...optional('notification', notification(properties, warn)),
    ...host(properties, warn),
    ...optional('maxSessionsPerUser', sessionLimit(properties)),
    ...optional('cleanupInterval', cleanupInterval(properties)),
    ...optional('maxBandwidth', maxBandwidth(properties)),
  }
}

/** A 64-bit number: larger ones, and -1 for the largest, mean IIS's own maximum. */
function maxUploadSize(properties: IisProperties): number | undefined {
  const name = 'BITSMaximumUploadSize'
  const value = properties[name]
  const text = readString(properties, name)
  if (text === '-1' || (typeof value === 'string' && text === undefined)) return MAX_UPLOAD_SIZE
  if (text === undefined) return undefined
  if (/^\d+$/.test(text)) return Math.min(Number(text), MAX_UPLOAD_SIZE)
  throw invalid(`${name} is ${JSON.stringify(value)}: use a whole number from 0 to ${MAX_UPLOAD_SIZE}`)
}

function notification(properties: IisProperties, warn: WarnOfProperty): NotificationOptions | undefined {
  const name = 'BITSServerNotificationType'
  const number = notificationType(properties)
  const url = readString(properties, 'BITSServerNotificationURL')
  if (!number) {
    if (url !== undefined) {
      warn(`BITSServerNotificationURL is ignored, as ${name} is none: 1 is by reference, 2 by value`)
    }
    return undefined
  }
  if (url === undefined)
    throw invalid(`${name} is ${number}, and there is no BITSServerNotificationURL: set one`)
  const options: NotificationOptions = { type: number === 1 ? 'by-reference' : 'by-value', url }
  if (isNotification(options) === undefined) return options
  throw invalid(
    `BITSServerNotificationURL is ${JSON.stringify(maskUserInfo(url))}: use ${NOTIFICATION_URL_EXPECTED}`,
  )
}

/** 0 none, 1 by reference, 2 by value; `undefined` when it is not set. */
function notificationType(properties: IisProperties): number | undefined {
  const name = 'BITSServerNotificationType'
  const value = readString(properties, name)?.toUpperCase()
  if (value === undefined) return undefined
  const type = ['NONE', 'BY_REFERENCE', 'BY_VALUE'].indexOf(value)
  if (type >= 0) return type
  if (['0', '1', '2'].includes(value)) return Number(value)
  throw invalid(
    `${name} is ${JSON.stringify(properties[name])}: use 0 (none), 1 (by reference) or 2 (by value)`,
  )
}

function host(
  properties: IisProperties,
  warn: WarnOfProperty,
): Pick<IisOptions, 'hostId' | 'hostIdFallbackTimeout'> {
  const hostId = readString(properties, 'BITSHostId')
  const timeout = readInteger(properties, 'BITSHostIdFallbackTimeout', 0)
  if (hostId === undefined) {
    if (timeout !== undefined && timeout !== DEFAULT_HOST_ID_FALLBACK_TIMEOUT && timeout !== INFINITE) {
      warn(`BITSHostIdFallbackTimeout ${timeout} is ignored, as there is no BITSHostId`)
    }
    return {}
  }
  const expected = isHostId(hostId)
  if (expected !== undefined) throw invalid(`BITSHostId is ${JSON.stringify(hostId)}: use ${expected}`)
  return { hostId, ...optional('hostIdFallbackTimeout', timeout) }
}

function sessionLimit(properties: IisProperties): number | undefined {
  if (readBoolean(properties, 'BITSSessionLimitEnable') === false) {
    refuseOtherThanNumber(properties, 'BITSNumberOfSessionsLimit')
    return Number.POSITIVE_INFINITY
  }
  const limit = readInteger(properties, 'BITSNumberOfSessionsLimit', 1)
  return limit === INFINITE ? Number.POSITIVE_INFINITY : limit
}

function cleanupInterval(properties: IisProperties): number | undefined {
  const usesDefault = readBoolean(properties, 'BITSCleanupUseDefault')
  if (usesDefault) {
    // The numbers then have no effect, even invalid ones.
    refuseOtherThanNumber(properties, 'BITSCleanupUnits')
    refuseOtherThanNumber(properties, 'BITSCleanupCount')
    return undefined
  }
  const units = CLEANUP_UNITS[readInteger(properties, 'BITSCleanupUnits', 0, 2) ?? 1]
  const count = readInteger(properties, 'BITSCleanupCount', 1, units?.max)
  if (usesDefault === false && count === undefined) {
    throw invalid('BITSCleanupUseDefault is 0, and there is no BITSCleanupCount: set one')
  }
  return count === undefined || !units ? undefined : Math.min(count * units.seconds, MAX_CLEANUP)
}

function maxBandwidth(properties: IisProperties): number | undefined {
  const rate = readInteger(properties, 'MaxBandwidth', 1)
  return rate === INFINITE ? undefined : rate
}

function warnOfSessionDirectory(properties: IisProperties, warn: WarnOfProperty): void {
  const name = readString(properties, 'BITSSessionDirectory')
  if (name === undefined || name.toLowerCase() === RESERVED_NAME.toLowerCase()) return
  warn(`BITSSessionDirectory "${name}" is ignored: unfinished uploads are always kept in ${RESERVED_NAME}`)
}

function warnOfMaxConnections(properties: IisProperties, warn: WarnOfProperty): void {
  const limit = readInteger(properties, 'MaxConnections', 0)
  if (limit === undefined || limit === INFINITE) return
  warn(`MaxConnections ${limit} has no option: set server.maxConnections of the HTTP server`)
}

/** An option with its value, or nothing if the property is not set. */
function optional<Name extends keyof IisOptions>(
  name: Name,
  value: IisOptions[Name],
): Pick<IisOptions, Name> | undefined {
  if (value === undefined) return undefined
  const option: Partial<IisOptions> = {}
  option[name] = value
  return option
}
