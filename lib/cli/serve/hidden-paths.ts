/** Where `FileStorage` keeps unfinished uploads and session records, inside the directory of the uploads. */
const STAGING = 'bits-sessions'

/**
 * Must this path, relative to the directory of the uploads, be kept from readers? So are the staging folder, names that
 * start with a dot, and `..`, which leads out.
 */
export const isHidden = (path: string): boolean => path.split(/[\\/]/).some(isHiddenName)

/** Some file systems ignore case, and some the form of a letter, so `ＢITS-sessions` may be the staging folder too. */
const isHiddenName = (name: string): boolean =>
  name.startsWith('.') || name.normalize('NFKC').toLowerCase() === STAGING
