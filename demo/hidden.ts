/** Names that start with a dot are the server's own: they are neither listed, nor served, nor uploaded to. */
export const isDotPath = (path: string): boolean => path.split('/').some((name) => name.startsWith('.'))
