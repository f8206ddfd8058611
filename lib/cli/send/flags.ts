/** The options that `send --help` lists, as commander parses them. Sizes in bytes. */
export interface SendFlags {
  readonly user?: string
  readonly passwordFile?: string
  readonly negotiate?: true
  readonly header?: readonly string[]
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly fragmentSize?: number
  readonly retries?: number
  readonly digest?: 'sha256' | 'sha512'
  readonly replyTo?: string
  readonly restart?: true
  readonly quiet?: true
}
