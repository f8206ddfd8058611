import { isReservedName } from 'express-bits-upload'

/**
 * Tells whether a path, relative to the upload directory, must be hidden from readers: the staging folder, names that
 * start with a dot, and `..`, which leads outside.
 */
export const isHidden = (path: string): boolean =>
  path.split(/[\\/]/).some((name) => name.startsWith('.') || isReservedName(name))
