import { randomUUID } from 'node:crypto'
import { rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BitsUploadOptions } from 'express-bits-upload'
import { RESERVED_NAME } from '../../../protocol/reserved-folder.js'
import { asError, errorCode } from '../../../util/errors.js'
import { CliError, EXIT } from '../../output.js'

/**
 * Creates the directory and checks that files can be written to it and to its staging folder, now rather than at the
 * first upload. It writes a file, since permissions are not conclusive: a file system may be mounted read-only.
 *
 * @throws CliError that says what to do.
 */
export async function prepareDirectory(
  directory: string,
  { storage }: BitsUploadOptions,
  platform = process.platform,
): Promise<void> {
  const existing = await stat(directory).catch(() => undefined)
  if (existing && !existing.isDirectory())
    throw new CliError(EXIT.failure, `${directory} is not a directory: name the directory for the uploads.`)
  const staging = join(directory, RESERVED_NAME)
  const staged = await stat(staging).catch(() => undefined)
  if (staged && !staged.isDirectory())
    throw new CliError(
      EXIT.failure,
      `${staging} is not a directory: move it away, unfinished uploads go there.`,
    )
  try {
    await storage?.open?.()
  } catch (cause) {
    // Probing the existing directories shows which of them is the cause.
    if (existing) await tryToWrite(directory, platform)
    if (staged) await tryToWrite(staging, platform)
    throw unusable(directory, cause, platform)
  }
  for (const path of [directory, staging]) await tryToWrite(path, platform)
}

async function tryToWrite(directory: string, platform: NodeJS.Platform): Promise<void> {
  const path = join(directory, `.write-test-${randomUUID()}`)
  try {
    await writeFile(path, '', { flag: 'wx' })
    await rm(path)
  } catch (cause) {
    throw unusable(directory, cause, platform)
  }
}

const unusable = (directory: string, cause: unknown, platform: NodeJS.Platform): CliError =>
  new CliError(EXIT.failure, `cannot keep uploads in ${directory}: ${directoryProblem(cause, platform)}.`, {
    cause,
  })

const ACCESS_ADVICE = {
  windows: 'Grant it write access (icacls), or run the server as another user',
  others: 'Make it the owner (chown), or run the server as its owner',
}

function directoryProblem(error: unknown, platform: NodeJS.Platform): string {
  // A storage may explain an error of the system, which is then the cause of its own.
  switch (errorCode(error) ?? errorCode(asError(error).cause)) {
    case 'EACCES':
    case 'EPERM':
      return `${userName()} may not write there. ${ACCESS_ADVICE[platform === 'win32' ? 'windows' : 'others']}`
    case 'EROFS':
      return 'it is on a file system that is mounted read-only'
    case 'ENOSPC':
    case 'EDQUOT':
      return 'there is no space left'
    case 'ENOTDIR':
    case 'EEXIST':
      return 'a part of this path is a file'
    default:
      return asError(error).message
  }
}

function userName(): string {
  const id = process.getuid?.()
  return id === undefined ? 'this user' : `the user with id ${id}`
}
