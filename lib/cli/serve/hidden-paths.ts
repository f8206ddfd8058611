import { isReservedName } from 'express-bits-upload'

/**
 * Tells whether a path, relative to the directory of the uploads, must be kept from readers: the staging folder, names
 * that start with a dot, and `..`, which leads out.
 */
export const isHidden = (path: string): boolean =>
  path.split(/[\\/]/).some((name) => name.startsWith('.') || isReservedName(name))
