/** `EEXIST` and the like, if the error is one of the system's. */
export const systemErrorCode = (error: unknown): unknown =>
  typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
