import { BitsError } from '../../protocol/bits-error.js'
import { RESERVED_NAME } from '../../protocol/reserved-folder.js'
import { errorCode } from '../../util/errors.js'

const MODE_UNSUPPORTED = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL'])

/** For `.catch()`: FAT, SMB and others have no modes, and files of another user cannot be given one. */
export function ignoreUnsupportedMode(error: unknown): void {
  if (!MODE_UNSUPPORTED.has(errorCode(error) ?? '')) throw error
}

const NOT_WRITABLE = new Set(['EACCES', 'EPERM', 'EROFS'])

/** Tells whether an error means that this process has no write access, which lasts until the permissions change. */
export const isNotWritable = (error: unknown): boolean => NOT_WRITABLE.has(errorCode(error) ?? '')

export function explainNotWritable(error: unknown, root: string): unknown {
  if (!isNotWritable(error)) return error
  return new Error(
    `Uploads cannot be stored in "${root}" (${errorCode(error)}): ` +
      `give the user that runs this process write access to it and to its folder ${RESERVED_NAME}.`,
    { cause: error },
  )
}

/** For `.catch()`: a file may be missing, but a directory in its path must not be a file. */
export function unlessMissingParent(error: unknown): undefined {
  if (errorCode(error) === 'ENOENT') return undefined
  return refuseBelowFile(error)
}

export function refuseBelowFile(error: unknown): never {
  const code = errorCode(error)
  if (code === 'ENOTDIR' || code === 'EEXIST' || code === 'ELOOP') throw belowFileError(error)
  throw error
}

export const belowFileError = (cause?: unknown): BitsError =>
  new BitsError('destination-refused', 'A directory in the path is a file.', { cause })
