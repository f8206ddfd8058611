import { asError, errorCode } from '../../../util/errors.js'
import { CliError, EXIT } from '../../output.js'

/** A package that only some flags need, and that users install beside this one. */
export interface OptionalPackage {
  readonly name: string
  /** Versions that work, for npm. */
  readonly range: string
  /** The flag that needs it. */
  readonly flag: string
}

/**
 * Imports an optional package.
 *
 * @param load has the `import()`, so that the package is found from where this one is installed.
 * @throws CliError that says how to install what is missing.
 */
export async function loadPeer<Module>(
  { name, range, flag }: OptionalPackage,
  load: () => Promise<Module>,
): Promise<Module> {
  try {
    return await load()
  } catch (cause) {
    const { message } = asError(cause)
    const isMissing = errorCode(cause) === 'ERR_MODULE_NOT_FOUND' && message.includes(`'${name}'`)
    if (!isMissing)
      throw new CliError(EXIT.failure, `${flag}: ${name} cannot be loaded: ${message}`, { cause })
    throw new CliError(
      EXIT.failure,
      `${flag} needs the package ${name}: run "npm install ${name}@${range}" where express-bits-upload is installed, ` +
        `or "npm install --global ${name}@${range}" if it is installed globally.`,
      { cause },
    )
  }
}
