/** What a service does with `If-None-Match: *`: it honours it, answers 501, or overwrites all the same. */
export type Condition = 'honoured' | 'refused' | 'ignored'

/** How services that speak S3 differ. The defaults are those of AWS. */
export interface Rules {
  readonly put: Condition
  readonly copy: Condition
  readonly complete: Condition
  /** Bytes of the smallest part that is not the last. */
  readonly minPartSize: number
  readonly maxParts: number
  /** All parts but the last have to be of one size. */
  readonly equalParts: boolean
  /** Is there an UploadPartCopy? */
  readonly partCopy: boolean
  /** Listings that do not yet know of a change. */
  readonly listingLag: number
}

export const AWS: Rules = {
  put: 'honoured',
  copy: 'honoured',
  complete: 'honoured',
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
