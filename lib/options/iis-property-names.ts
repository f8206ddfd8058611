import type { IisProperties } from '../../types/iis.js'
import { findUnknownKey } from '../validation/check-options.js'
import { describeValue } from '../validation/describe-value.js'
import type { Names } from '../validation/value-checks.js'
import { invalid } from './iis-values.js'

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
  MaxConnections: true,
  // IIS's own bookkeeping.
  BITSCleanupWorkItemKey: true,
  BITSUploadMetadataVersion: true,
}

/** @throws TypeError for anything other than an object, and for a property that IIS does not have. */
export function refuseUnknownProperty(properties: IisProperties): void {
  if (typeof properties !== 'object' || properties === null || Array.isArray(properties)) {
    throw invalid(`the properties are ${describeValue(properties)}: use an object`)
  }
  const name = findUnknownKey(properties, IIS_PROPERTY_NAMES)
  if (name === undefined) return
  const known = Object.keys(IIS_PROPERTY_NAMES)
  const meant = known.find((property) => property.toLowerCase() === name.toLowerCase())
  throw invalid(
    `there is no IIS property ${JSON.stringify(name)}: ${meant ? `did you mean ${meant}?` : `there are ${known.join(', ')}`}`,
  )
}
