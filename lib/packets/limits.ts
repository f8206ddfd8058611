import type { BitsUploadOptions } from '../../types/options.js'
import type { DeliverToApplication } from '../delivery/arrival.js'

/** The settings that may differ from request to request without other sessions. */
export interface RequestLimits {
  readonly maxUploadSize: number
  readonly maxFragmentSize: number
  readonly overwrite: boolean
  readonly enabled: NonNullable<BitsUploadOptions['enabled']>
  /** Of users with a name, and of nobody in particular. */
  readonly maxSessions: { readonly named: number; readonly unnamed: number }
  readonly hostId: string | undefined
  readonly hostIdFallbackTimeout: number
  /** `undefined` when there is nobody to tell of an upload. */
  readonly deliverToApplication: DeliverToApplication | undefined
}
