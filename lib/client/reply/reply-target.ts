import type { BigIntStats } from 'node:fs'
import { access, constants, lstat, readlink, realpath, stat } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, sep } from 'node:path'
import { AtomicFile } from '../../util/atomic-file.js'
import { ignoreNotFound } from '../../util/errors.js'
import { describeValue } from '../../validation/describe-value.js'
import { OptionError } from '../../validation/option-error.js'

/** A file to create or replace. */
export interface FileTarget {
  readonly kind: 'file'
  /** With symbolic links resolved. */
  readonly path: string
  /** Permissions of the existing file. */
  readonly mode: number | undefined
}

/** A pipe or a device. */
export interface StreamTarget {
  readonly kind: 'stream'
  readonly path: string
}

/**
 * Determines, before anything is sent, where a reply goes, and whether it can be written there. Leaves no trace.
 *
 * @param source path of the file that is uploaded, if it is a file.
 * @throws OptionError when `replyTo` is a directory, or the source; and errors of the file system.
 */
export async function replyTarget(
  replyTo: string,
  source: string | undefined,
): Promise<FileTarget | StreamTarget> {
  const found = await stat(replyTo, { bigint: true }).catch(ignoreNotFound)
  const meansDirectory = replyTo.endsWith('/') || replyTo.endsWith(sep)
  if (found ? found.isDirectory() : meansDirectory) throw unfit(replyTo, 'a file; it is a directory')
  if (!found) return await ensureWritable({ kind: 'file', path: await followed(replyTo), mode: undefined })
  if (source !== undefined && (await isSameFile(source, found)))
    throw unfit(replyTo, 'another file; it is the one to upload')
  await access(replyTo, constants.W_OK)
  // Uses the name as given: the target of a shell's /dev/fd/63 has no path.
  if (!found.isFile()) return { kind: 'stream', path: replyTo }
  return await ensureWritable({
    kind: 'file',
    path: await followed(replyTo),
    mode: Number(found.mode & 0o777n),
  })
}

const unfit = (replyTo: string, expected: string): OptionError =>
  new OptionError({
    subject: 'express-bits-upload/client',
    option: 'replyTo',
    problem: `is ${describeValue(replyTo)}`,
    expected,
  })

/** Under any name, hard links included. */
async function isSameFile(path: string, { dev, ino }: BigIntStats): Promise<boolean> {
  const file = await stat(path, { bigint: true }).catch(ignoreNotFound)
  return file?.dev === dev && file.ino === ino
}

/** Follows symbolic links, including dangling ones. */
async function followed(path: string): Promise<string> {
  const directory = await realpath(dirname(path))
  const inside = join(directory, basename(path))
  const facts = await lstat(inside).catch(ignoreNotFound)
  if (!facts?.isSymbolicLink()) return inside
  const link = await readlink(inside)
  // Not `join`, which turns `a/../b` into `b` even when `a` is a link.
  return followed(isAbsolute(link) ? link : `${directory}/${link}`)
}

/** Creating a draft is the only reliable check. */
async function ensureWritable(target: FileTarget): Promise<FileTarget> {
  const draft = await AtomicFile.create(target)
  await draft.discard()
  return target
}
