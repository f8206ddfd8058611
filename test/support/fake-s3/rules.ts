/** How a service handles `If-None-Match: *`: it honors it, responds 501, or overwrites anyway. */
export type Condition = 'honoured' | 'refused' | 'ignored'

/** Differences between services with the S3 API. The defaults are those of AWS. */
export interface Rules {
  readonly put: Condition
  readonly copy: Condition
  readonly complete: Condition
  /** Whether the SHA-256 in the signature of a request is compared with its body. */
  readonly verifiesSha256: boolean
  /** Minimum size in bytes of all parts but the last. */
  readonly minPartSize: number
  readonly maxParts: number
  /** Whether all parts but the last must have the same size. */
  readonly equalParts: boolean
  /** Whether there is UploadPartCopy. */
  readonly partCopy: boolean
  /** Number of listings that do not show a change yet. */
  readonly listingLag: number
}

export const AWS: Rules = {
  put: 'honoured',
  copy: 'honoured',
  complete: 'honoured',
  verifiesSha256: true,
  minPartSize: 5 * 1024 * 1024,
  maxParts: 10_000,
  equalParts: false,
  partCopy: true,
  listingLag: 0,
}

export const CLOUDFLARE: Partial<Rules> = {
  copy: 'ignored',
  complete: 'ignored',
  equalParts: true,
  partCopy: false,
}
