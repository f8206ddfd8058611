import { readFile } from 'node:fs/promises'
import { asError } from '../util/errors.js'
import { CliError, EXIT } from './output.js'

/**
 * Reads a text file that an option names: UTF-8, or UTF-16 with a byte order mark as PowerShell 5 writes it (`>`). The
 * mark is removed.
 *
 * @throws CliError that names the option when the file cannot be read.
 */
export async function readTextFile(option: string, path: string): Promise<string> {
  try {
    const bytes = await readFile(path)
    return new TextDecoder(textEncoding(bytes)).decode(bytes)
  } catch (cause) {
    throw new CliError(EXIT.failure, `${option}: ${asError(cause).message}.`, { cause })
  }
}

function textEncoding(bytes: Buffer): string {
  const mark = bytes.toString('hex', 0, 2)
  if (mark === 'fffe') return 'utf-16le'
  return mark === 'feff' ? 'utf-16be' : 'utf-8'
}
