import type { Durability } from 'express-bits-upload'
import type { LogFormat } from './access-log.js'
import type { TlsVersion } from './tls/versions.js'

/** The options that `serve --help` lists, as commander parses them. Sizes in bytes, times in seconds. */
export interface ServeFlags {
  readonly host: string
  readonly port: number
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly tlsPfx?: string
  readonly tlsPassphraseFile?: string
  readonly tlsMinVersion?: TlsVersion
  readonly tlsClientCa?: string
  readonly maxHeaderSize: number
  readonly path: string
  readonly grace: number
  readonly idleTimeout: number
  readonly htpasswd?: string
  readonly negotiate?: true
  readonly service?: string
  readonly keytab?: string
  readonly realm: string
  readonly trustSessionId?: true
  readonly read?: true
  readonly list?: true
  readonly live?: true
  readonly livePath?: string
  readonly liveActions?: true
  readonly liveHost?: string
  /** True for the default path. */
  readonly metrics?: true | string
  /** True for the default path. */
  readonly health?: true | string
  readonly shared?: true
  readonly s3Bucket?: string
  readonly s3Prefix?: string
  readonly s3Region?: string
  readonly s3Endpoint?: string
  readonly s3PathStyle?: true
  readonly s3Assemble?: 'copy' | 'stream'
  /** May hold a password. */
  readonly redis?: string
  readonly redisPrefix?: string
  readonly overwrite?: true
  readonly maxUploadSize?: number
  readonly maxFragmentSize?: number
  readonly maxSessionsPerUser?: number
  readonly maxBandwidth?: number
  readonly maxSessionBandwidth?: number
  readonly sessionTimeout?: number
  readonly cleanupInterval?: number
  readonly durability?: Durability
  /** False after `--no-create-directories`. */
  readonly createDirectories: boolean
  readonly acceptPost?: true
  readonly hostId?: string
  readonly hostIdFallbackTimeout?: number
  readonly onUpload?: string
  readonly onUploadArgument?: readonly string[]
  readonly onUploadTimeout?: number
  readonly onUploadConcurrency?: number
  readonly hash?: 'sha256' | 'sha512'
  readonly notifyUrl?: string
  readonly notifyType?: 'by-reference' | 'by-value'
  readonly notifyTimeout?: number
  /** `Name: value`, or `@file` with such lines. */
  readonly notifyHeader?: readonly string[]
  readonly iis?: readonly string[]
  readonly iisFile?: string
  readonly accessLog: string
  readonly logFormat: LogFormat
  readonly verbose?: true
  readonly check?: true
}
