/** A boolean as IIS and its tools write it. */
export type IisBoolean = boolean | 0 | 1 | '0' | '1' | 'true' | 'false' | ''
/** A number as IIS and its tools write it. */
export type IisNumber = number | string

type IisNotificationType = 0 | 1 | 2 | '0' | '1' | '2' | 'NONE' | 'BY_REFERENCE' | 'BY_VALUE' | ''

/** The properties of an IIS virtual directory that concern BITS uploads (Win32 "BITS IIS extension properties"). */
export interface IisProperties {
  /** Becomes `enabled`. IIS accepts no uploads without it; here, uploads are enabled by default. */
  BITSUploadEnabled?: IisBoolean | undefined
  /** Bytes, up to 1,844,674,407,370,955; an empty string and larger values mean the same. Becomes `maxUploadSize`. */
  BITSMaximumUploadSize?: IisNumber | undefined
  /** Becomes `overwrite`. */
  BITSAllowOverwrites?: IisBoolean | undefined
  /** Seconds. Becomes `sessionTimeout`. */
  BITSSessionTimeout?: IisNumber | undefined
  /** Always `BITS-Sessions` here; another name is ignored with a warning. */
  BITSSessionDirectory?: string | undefined
  /** 0 none, 1 by reference, 2 by value. Becomes `notification.type`. */
  BITSServerNotificationType?: IisNotificationType | undefined
  /** Becomes `notification.url`; ignored with a warning if the type is none. */
  BITSServerNotificationURL?: string | undefined
  /** Becomes `hostId`. */
  BITSHostId?: string | undefined
  /** Seconds. Becomes `hostIdFallbackTimeout`. */
  BITSHostIdFallbackTimeout?: IisNumber | undefined
  /** 0 means no limit on the sessions of a user. */
  BITSSessionLimitEnable?: IisBoolean | undefined
  /** Becomes `maxSessionsPerUser`. */
  BITSNumberOfSessionsLimit?: IisNumber | undefined
  /** With 1, the clean-up runs every 12 hours. */
  BITSCleanupUseDefault?: IisBoolean | undefined
  /** With {@link BITSCleanupUnits} becomes `cleanupInterval`. */
  BITSCleanupCount?: IisNumber | undefined
  /** 0 minutes (up to 60), 1 hours (up to 24; the default), 2 days (up to 360; 24 days here). */
  BITSCleanupUnits?: 0 | 1 | 2 | '0' | '1' | '2' | '' | undefined
  /** Not used here: belongs to the clean-up of IIS. */
  BITSCleanupWorkItemKey?: string | undefined
  /** Not used here: the version of the records of IIS. */
  BITSUploadMetadataVersion?: IisNumber | undefined
  /** Bytes per second of the site; 4,294,967,295 for no limit. Becomes `maxBandwidth`. */
  MaxBandwidth?: IisNumber | undefined
  /**
   * Connections of the site. There is no such option: a limit is logged as a warning that names
   * `server.maxConnections`.
   */
  MaxConnections?: IisNumber | undefined
}
