import type { BitsUpload, BitsUploadOptions } from 'express-bits-upload'
import { checkOptions } from '../../../options/checks.js'
import { defined } from '../../../util/objects.js'
import { namingFlag } from '../../option-flags.js'
import { CliError, usageError } from '../../output.js'
import { checkDirectoryAccess } from '../access.js'
import type { IdentifyUser } from '../authenticate.js'
import type { DirectoryConfig } from '../config/directory-config.js'
import type { ServeFlags } from '../flags.js'
import { type OnUploadProgram, onUploadProgram } from '../on-upload/on-upload-program.js'
import { createStores, type ServeStores } from '../stores/stores.js'
import { uploadOptions } from '../upload-options.js'

/** A directory or bucket, and how uploads into it are handled. */
export interface ConfiguredDirectory {
  /** Starts messages about it, when there may be several. */
  readonly label: string | undefined
  readonly flags: ServeFlags
  readonly stores: ServeStores
  readonly options: BitsUploadOptions
  readonly program: OnUploadProgram | undefined
}

/** One whose uploads are being received. */
export interface RunningDirectory extends ConfiguredDirectory {
  /** Absolute path; absent when the files are in S3. */
  readonly directory?: string
  readonly bits: BitsUpload
  /** Absent when access is unrestricted. */
  readonly authenticate: IdentifyUser | undefined
}

/**
 * Checks the options of a directory, without creating or connecting to anything.
 *
 * @throws CliError that names the directory, if there may be several, and the option.
 */
export const configureDirectory = (config: DirectoryConfig): Promise<ConfiguredDirectory> =>
  namingDirectory(config, () => configure(config))

async function configure({ label, directory, flags }: DirectoryConfig): Promise<ConfiguredDirectory> {
  const stores = await createStores(directory, flags)
  try {
    const program = await onUploadProgram(flags)
    const options = {
      ...(await uploadOptions(stores, flags)),
      ...defined({ onUpload: program?.onUpload }),
    }
    if (program && options.notification)
      throw usageError(
        '--on-upload and a notification both decide whether to accept a file: use only one of them.',
      )
    checkUploadOptions(options)
    checkDirectoryAccess(flags)
    return { label, flags, stores, options, program }
  } catch (error) {
    stores.close()
    throw error
  }
}

/** Puts the label of a directory in front of the messages of `work`. */
export async function namingDirectory<T>(
  { label }: Pick<DirectoryConfig, 'label'>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (label === undefined || !(error instanceof CliError)) throw error
    throw new CliError(error.exitCode, `${label}: ${error.message}`, { cause: error })
  }
}

/** @throws CliError that names the flag. */
function checkUploadOptions(options: BitsUploadOptions): void {
  try {
    checkOptions(options)
  } catch (error) {
    throw namingFlag(error)
  }
}
