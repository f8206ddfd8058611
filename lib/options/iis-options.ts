import type { NotificationOptions } from '../../types/delivery.js'
import type { IisProperties } from '../../types/iis.js'
import type { BitsUploadOptions } from '../../types/options.js'
import { DEFAULT_HOST_ID_FALLBACK_TIMEOUT } from '../protocol/limits.js'
import { findUnknownKey } from '../validation/check-options.js'
import { describeValue } from '../validation/describe-value.js'
import type { Names } from '../validation/value-checks.js'
import { isHostId } from './host-id.js'
import { invalid, readBoolean, readInteger, readString, refuseOtherThanNumber } from './iis-values.js'
import { isNotification, maskUserInfo, NOTIFICATION_URL_EXPECTED } from './notification.js'

/** The options that follow from IIS properties. */
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

/** Largest BITSMaximumUploadSize, which is also what an empty one means. */
const MAX_UPLOAD_SIZE = 1_844_674_407_370_955
/** What IIS writes for "no limit" in MaxBandwidth. */
const NO_BANDWIDTH_LIMIT = 0xffffffff
/** Seconds and largest count of each of BITSCleanupUnits: minutes, hours, days. */
const CLEANUP_UNITS = [
  { seconds: 60, max: 60 },
  { seconds: 60 * 60, max: 24 },
  { seconds: 24 * 60 * 60, max: 360 },
] as const
/** Seconds between two sweeps at the most: what a timer can count. */
const MAX_CLEANUP = 24 * 24 * 60 * 60

const IIS_PROPERTY_NAMES: Names<IisProperties> = {
  BITSUploadEnabled: true,
  BITSMaximumUploadSize: true,
  BITSAllowOverwrites: true,
  BITSSessionTimeout: true,
  BITSSessionDirectory: true,
  BITSServerNotificationType: true,
  BITSServerNotificationURL: true,
  BITSHostId: true,
  BITSHostIdFallbackTimeout: true,
  BITSSessionLimitEnable: true,
  BITSNumberOfSessionsLimit: true,
  BITSCleanupUseDefault: true,
  BITSCleanupCount: true,
  BITSCleanupUnits: true,
  MaxBandwidth: true,
  // How IIS keeps its own house: of no meaning here.
  BITSCleanupWorkItemKey: true,
  BITSUploadMetadataVersion: true,
}

/**
 * Turns the BITS properties of an IIS virtual directory into options. Values may be written as IIS writes them: numbers
 * and truth values as strings, empty strings for what is not set. What is left out keeps the option's default.
 *
 * @example app.use('/uploads', bitsUpload({ directory: 'D:\\uploads', ...iisOptions({ BITSAllowOverwrites: 1 }) }))
 * @throws TypeError when a property is unknown, wrong, or contradicts another, in a sentence.
 */
export function iisOptions(properties: IisProperties): IisOptions {
  refuseUnknown(properties)
  refuseOtherSessionDirectory(properties)
  return {
    ...optional('enabled', readBoolean(properties, 'BITSUploadEnabled')),
    ...optional('maxUploadSize', maxUploadSize(properties)),
    ...optional('overwrite', readBoolean(properties, 'BITSAllowOverwrites')),
    ...optional('sessionTimeout', readInteger(properties, 'BITSSessionTimeout', 1)),
    ...optional('notification', notification(properties)),
    ...host(properties),
    ...optional('maxSessionsPerUser', sessionLimit(properties)),
    ...optional('cleanupInterval', cleanupInterval(properties)),
    ...optional('maxBandwidth', maxBandwidth(properties)),
  }
}

function maxUploadSize(properties: IisProperties): number | undefined {
  if (String(properties.BITSMaximumUploadSize ?? 'none').trim() === '') return MAX_UPLOAD_SIZE
  return readInteger(properties, 'BITSMaximumUploadSize', 0, MAX_UPLOAD_SIZE)
}

function notification(properties: IisProperties): NotificationOptions | undefined {
  const name = 'BITSServerNotificationType'
  const number = notificationType(properties)
  const url = readString(properties, 'BITSServerNotificationURL')
  if (!number) {
    if (url === undefined) return undefined
    throw invalid(
      `BITSServerNotificationURL is set and ${name} is none: give 1 (by reference) or 2 (by value)`,
    )
  }
  if (url === undefined)
    throw invalid(`${name} is ${number}, and there is no BITSServerNotificationURL: give one`)
  const options: NotificationOptions = { type: number === 1 ? 'by-reference' : 'by-value', url }
  if (isNotification(options) === undefined) return options
  throw invalid(
    `BITSServerNotificationURL is ${JSON.stringify(maskUserInfo(url))}: give ${NOTIFICATION_URL_EXPECTED}`,
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
    `${name} is ${JSON.stringify(properties[name])}: give 0 (none), 1 (by reference) or 2 (by value)`,
  )
}

function host(properties: IisProperties): Pick<IisOptions, 'hostId' | 'hostIdFallbackTimeout'> {
  const hostId = readString(properties, 'BITSHostId')
  const timeout = readInteger(properties, 'BITSHostIdFallbackTimeout', 0)
  if (hostId === undefined) {
    if (timeout === undefined || timeout === DEFAULT_HOST_ID_FALLBACK_TIMEOUT) return {}
    throw invalid(`BITSHostIdFallbackTimeout is ${timeout}, and there is no BITSHostId: give one, or neither`)
  }
  const expected = isHostId(hostId)
  if (expected !== undefined) throw invalid(`BITSHostId is ${JSON.stringify(hostId)}: give ${expected}`)
  return { hostId, ...optional('hostIdFallbackTimeout', timeout) }
}

function sessionLimit(properties: IisProperties): number | undefined {
  if (readBoolean(properties, 'BITSSessionLimitEnable') === false) {
    refuseOtherThanNumber(properties, 'BITSNumberOfSessionsLimit')
    return Number.POSITIVE_INFINITY
  }
  return readInteger(properties, 'BITSNumberOfSessionsLimit', 1)
}

function cleanupInterval(properties: IisProperties): number | undefined {
  const usesDefault = readBoolean(properties, 'BITSCleanupUseDefault')
  if (usesDefault) {
    // Numbers count for nothing then, wrong ones included.
    refuseOtherThanNumber(properties, 'BITSCleanupUnits')
    refuseOtherThanNumber(properties, 'BITSCleanupCount')
    return undefined
  }
  const units = CLEANUP_UNITS[readInteger(properties, 'BITSCleanupUnits', 0, 2) ?? 1]
  const count = readInteger(properties, 'BITSCleanupCount', 1, units?.max)
  if (usesDefault === false && count === undefined) {
    throw invalid('BITSCleanupUseDefault is 0, and there is no BITSCleanupCount: give one')
  }
  return count === undefined || !units ? undefined : Math.min(count * units.seconds, MAX_CLEANUP)
}

function maxBandwidth(properties: IisProperties): number | undefined {
  // ADSI shows the unsigned number as a signed one.
  if (readString(properties, 'MaxBandwidth') === '-1') return undefined
  const rate = readInteger(properties, 'MaxBandwidth', 1)
  return rate === NO_BANDWIDTH_LIMIT ? undefined : rate
}

function refuseOtherSessionDirectory(properties: IisProperties): void {
  const name = readString(properties, 'BITSSessionDirectory')
  if (name === undefined || name.toLowerCase() === 'bits-sessions') return
  throw invalid(`BITSSessionDirectory is "${name}": it is always BITS-Sessions here; leave it out`)
}

function refuseUnknown(properties: IisProperties): void {
  if (typeof properties !== 'object' || properties === null || Array.isArray(properties)) {
    throw invalid(`the properties are ${describeValue(properties)}: give an object`)
  }
  const name = findUnknownKey(properties, IIS_PROPERTY_NAMES)
  if (name === undefined) return
  const known = Object.keys(IIS_PROPERTY_NAMES)
  const meant = known.find((property) => property.toLowerCase() === name.toLowerCase())
  throw invalid(
    `there is no IIS property ${JSON.stringify(name)}: ${meant ? `did you mean ${meant}?` : `there are ${known.join(', ')}`}`,
  )
}

/** An option with its value, or nothing where the property is not set. */
function optional<Name extends keyof IisOptions>(
  name: Name,
  value: IisOptions[Name],
): Pick<IisOptions, Name> | undefined {
  if (value === undefined) return undefined
  const option: Partial<IisOptions> = {}
  option[name] = value
  return option
}
