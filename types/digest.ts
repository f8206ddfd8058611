/** A checksum of a whole file. */
export interface FileDigest {
  readonly algorithm: 'sha256' | 'sha512'
  /** Lower-case hexadecimal digits. */
  readonly value: string
}
