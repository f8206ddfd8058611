import { createRequire } from 'node:module'

/** Of this package, by its own name: from the sources and from `dist` alike. */
export const version: string = createRequire(import.meta.url)('express-bits-upload/package.json').version
