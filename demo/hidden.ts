/**
 * Names that start with a dot are reserved for the server. They are not listed or served, and cannot be uploaded to.
 */
export const isDotPath = (path: string): boolean => path.split('/').some((name) => name.startsWith('.'))
