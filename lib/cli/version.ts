import { createRequire } from 'node:module'

/** The version of this package, which it imports by its own name: that works from the sources and from `dist`. */
export const version: string = createRequire(import.meta.url)('express-bits-upload/package.json').version
