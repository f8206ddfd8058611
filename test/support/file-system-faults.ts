import { type FileSystem, nodeFileSystem } from '../../lib/util/fs.js'
import { bytes } from './bytes.js'
import { interceptedFileSystem, systemError } from './intercepted-fs.js'
import { closeSession, createSession, fragment, type RawConnection } from './raw.js'

/** Errors for each call. Network file systems return almost any code, so unusual ones are included. */
export const FAULTS: Readonly<Record<string, readonly string[]>> = {
  open: [
    ...[
      'EACCES',
      'EPERM',
      'EROFS',
      'EIO',
      'ESTALE',
      'EINTR',
      'EMFILE',
      'ENFILE',
      'ENOMEM',
      'ENOSPC',
      'EDQUOT',
    ],
    ...['ETXTBSY', 'EBUSY', 'EOVERFLOW', 'EINVAL', 'ENXIO', 'EAGAIN', 'UNKNOWN'],
  ],
  write: ['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO', 'EINTR', 'EAGAIN', 'EPERM', 'ESTALE', 'ETIMEDOUT'],
  writev: ['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO', 'EINTR', 'EAGAIN', 'EPERM', 'ESTALE', 'ETIMEDOUT'],
  fsync: ['EIO', 'ENOSPC', 'EDQUOT', 'EINVAL', 'EROFS', 'ENOSYS', 'ENOTSUP', 'EPERM', 'EINTR', 'ESTALE'],
  link: [
    ...[
      'EACCES',
      'EDQUOT',
      'EIO',
      'EISDIR',
      'EMLINK',
      'ENOSPC',
      'EPERM',
      'EROFS',
      'EXDEV',
      'ENOTSUP',
      'ENOSYS',
    ],
    ...['EEXIST', 'ENOENT', 'ENOMEM', 'ESTALE', 'EOPNOTSUPP', 'UNKNOWN'],
  ],
  rename: [
    ...[
      'EACCES',
      'EBUSY',
      'EDQUOT',
      'EINVAL',
      'EIO',
      'EMLINK',
      'ENOSPC',
      'EPERM',
      'EROFS',
      'EXDEV',
      'EEXIST',
    ],
    ...['ENOTEMPTY', 'ENOMEM', 'ESTALE', 'UNKNOWN'],
  ],
  unlink: ['EACCES', 'EBUSY', 'EIO', 'EISDIR', 'EPERM', 'EROFS', 'ESTALE', 'ETXTBSY', 'ENOMEM'],
  mkdir: ['EACCES', 'EDQUOT', 'EIO', 'EMLINK', 'ENOSPC', 'EPERM', 'EROFS', 'ENOMEM', 'EINVAL', 'ESTALE'],
  rmdir: ['EACCES', 'EBUSY', 'EIO', 'ENOTEMPTY', 'EPERM', 'EROFS', 'ESTALE'],
  rm: ['EACCES', 'EIO', 'EPERM', 'EROFS', 'ESTALE'],
  realpath: ['EACCES', 'EIO', 'EISDIR', 'EMFILE', 'ENOMEM', 'ESTALE', 'UNKNOWN'],
  stat: ['EACCES', 'EIO', 'ESTALE', 'EOVERFLOW', 'ENOMEM', 'ETIMEDOUT'],
  lstat: ['EACCES', 'EIO', 'ESTALE', 'EOVERFLOW', 'ENOMEM', 'ETIMEDOUT'],
  fstat: ['EIO', 'ESTALE', 'EOVERFLOW', 'ENOMEM'],
  utimes: ['EACCES', 'EIO', 'EPERM', 'EROFS', 'ESTALE', 'ENOSYS'],
  chmod: ['EACCES', 'EIO', 'EPERM', 'EROFS', 'ENOSYS'],
  fchmod: ['EIO', 'EPERM', 'EROFS', 'ENOSYS'],
  ftruncate: ['EFBIG', 'EINTR', 'EINVAL', 'EIO', 'EPERM'],
  readlink: ['EACCES', 'EIO', 'EINVAL', 'ENOENT'],
  opendir: ['EACCES', 'EIO', 'EMFILE', 'ENFILE', 'ENOMEM', 'ESTALE'],
  readdir: ['EACCES', 'EIO', 'EMFILE', 'ENFILE', 'ENOMEM', 'EOVERFLOW', 'ESTALE'],
  readFile: ['EACCES', 'EIO', 'EMFILE', 'ENFILE', 'ENOMEM', 'EINTR', 'ESTALE'],
  copyFile: ['EIO', 'ENOSPC', 'EDQUOT', 'EPERM', 'EACCES', 'ENOTSUP'],
  close: ['EIO', 'ENOSPC', 'EDQUOT'],
}

export const FAULT_CASES = Object.entries(FAULTS).flatMap(([name, codes]) =>
  codes.map((code) => ({ name, code })),
)

/** The file that the client of {@link uploadThrough} uploads. */
export const FAULTED_FILE = bytes(3000)

/** One code of each kind, for systems on which not all are tested. */
export const TYPICAL_FAULT_CASES = FAULT_CASES.filter(({ code }) =>
  /^(?:EIO|ENOSPC|EPERM|ENOENT)$/.test(code),
)

/** Makes one call fail: of those with this name, the one after `skip` others. */
export class Fault {
  #name = ''
  #code = ''
  #skip = 0
  #hasStruck = false

  get hasStruck(): boolean {
    return this.#hasStruck
  }

  arm(name: string, code: string, skip: number): void {
    this.#name = name
    this.#code = code
    this.#skip = skip
    this.#hasStruck = false
  }

  disarm(): void {
    this.#name = ''
  }

  /** The file system of this process, with calls that can fail. */
  fileSystem(): Partial<FileSystem> {
    return {
      ...interceptedFileSystem(({ name }) => {
        if (name !== 'close') this.strike(name)
      }),
      // A file is closed even if the call fails.
      close: async (file) => {
        await nodeFileSystem.close(file)
        this.strike('close')
      },
    }
  }

  strike(name: string): void {
    if (this.#hasStruck || name !== this.#name || this.#skip-- > 0) return
    this.#hasStruck = true
    throw systemError(this.#code, name)
  }
}

export interface FaultedUpload {
  /** Status of the Ack that ended the upload; `undefined` when the session was closed. */
  readonly refused: number | undefined
  /** The server sent an offset below one that it had acknowledged. */
  readonly wentBack: boolean
}

/** Acks after which the client does not retry: a refusal is a final, correct response. */
const isFinal = (status: number): boolean => status === 400 || status === 403 || status === 404
const SESSION_NOT_FOUND = '0x8020001F'
const FRAGMENT_SIZE = 1500

/** A client that retries after every error that is not final, from the offset in the Ack. */
export async function uploadThrough(connection: RawConnection, path: string): Promise<FaultedUpload> {
  let id: string | undefined
  let offset = 0
  let acknowledged = 0
  let wentBack = false
  for (let tries = 0; tries < 20; tries++) {
    const ack = await connection.exchange(nextPacket(path, id, offset))
    if (isFinal(ack.status)) return { refused: ack.status, wentBack }
    if (ack.header('BITS-Error-Code') === SESSION_NOT_FOUND) {
      id = undefined
      offset = 0
      continue
    }
    const range = ack.header('BITS-Received-Content-Range')
    if (range !== undefined) offset = Number(range)
    wentBack ||= offset < acknowledged
    if (ack.status !== 200) continue
    if (id !== undefined && range === undefined) return { refused: undefined, wentBack }
    id ??= ack.header('BITS-Session-Id')
    acknowledged = Math.max(acknowledged, offset)
  }
  throw new Error(`The upload of ${path} did not end.`)
}

function nextPacket(path: string, id: string | undefined, offset: number): Buffer {
  if (id === undefined) return createSession(path)
  if (offset === FAULTED_FILE.length) return closeSession(path, id)
  const last = Math.min(offset + FRAGMENT_SIZE, FAULTED_FILE.length) - 1
  return fragment(path, id, FAULTED_FILE, offset, last)
}
