import { readFile } from 'node:fs/promises'
import { asError } from '../util/errors.js'
import { CliError, EXIT } from './output.js'

/** Reads a text file that an option names. @throws CliError in a sentence. */
export async function readTextFile(option: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new CliError(EXIT.failure, `${option}: ${asError(cause).message}.`, { cause })
  }
}
