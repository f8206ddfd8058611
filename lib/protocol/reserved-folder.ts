/**
 * The folder below each directory of uploads for data on its way and for replies, named as IIS names it
 * (BITSSessionDirectory): no upload may go there.
 */
export const RESERVED_NAME = 'BITS-Sessions'
