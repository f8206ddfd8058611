import { dirname, resolve } from 'node:path'
import type { Command, Option } from 'commander'
import { describeValue } from '../../../validation/describe-value.js'
import { usageError } from '../../output.js'
import { readTextFile } from '../../read-text-file.js'
import type { DirectoryConfig } from './directory-config.js'
import { DIRECTORIES_KEY, DIRECTORY_KEY, readDirectories } from './directory-entries.js'
import { keyOf, scopeOf } from './option-scope.js'
import { parseValue } from './option-value.js'
import { unknownKey } from './unknown-key.js'

/** What a file names beside options. */
export interface ConfigFile {
  /** Absolute path of the directory. */
  readonly directory?: string
  /** The list of directories, in place of one. */
  readonly directories?: readonly DirectoryConfig[]
}

/**
 * Reads the options of a command from a JSON file: each key is the name of a flag without its dashes. Options on the
 * command line take precedence. Paths are relative to the file.
 *
 * @param given the directory on the command line.
 * @throws CliError that names the key if it is unknown, or its value is invalid.
 */
export async function readConfig(
  path: string,
  command: Command,
  given: string | undefined,
): Promise<ConfigFile> {
  const object = parseConfig(path, await readTextFile('--config', path))
  const options = new Map<string, Option>()
  for (const option of command.options) {
    if (scopeOf(option) !== 'command line') options.set(keyOf(option), option)
  }
  const file = { path, folder: dirname(resolve(path)) }
  let directory: string | undefined
  for (const [key, value] of Object.entries(object)) {
    const invalid = (advice: string) => usageError(`${path}: "${key}" is ${describeValue(value)}: ${advice}`)
    const option = options.get(key)
    if (key === DIRECTORY_KEY) {
      if (typeof value !== 'string' || value === '') throw invalid('use a path.')
      directory = resolve(file.folder, value)
    } else if (option !== undefined) {
      const parsed = parseValue(option, value, file.folder, invalid)
      const name = option.attributeName()
      if (command.getOptionValueSource(name) !== 'cli')
        command.setOptionValueWithSource(name, parsed, 'config')
    } else if (key !== DIRECTORIES_KEY) {
      throw unknownKey(path, key, [DIRECTORY_KEY, DIRECTORIES_KEY, ...options.keys()])
    }
  }
  if (!Object.hasOwn(object, DIRECTORIES_KEY)) return directory === undefined ? {} : { directory }
  refuseSingleDirectory(path, command, given ?? directory)
  return { directories: readDirectories(Reflect.get(object, DIRECTORIES_KEY), file, command) }
}

function parseConfig(path: string, text: string): object {
  const example = 'it should hold an object like { "directory": "incoming", "port": 8080 }.'
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw usageError(`--config ${path}: it is not JSON; ${example}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw usageError(`--config ${path}: it is not a JSON object; ${example}`)
  return value
}

/** With a list of directories, a directory or path for all of them has no meaning. */
function refuseSingleDirectory(path: string, command: Command, directory: string | undefined): void {
  if (directory !== undefined)
    throw usageError(
      `${path}: "${DIRECTORIES_KEY}" lists the directories, and ${JSON.stringify(directory)} is one more: add it to the list.`,
    )
  const source = command.getOptionValueSource('path')
  if (source === 'cli' || source === 'config')
    throw usageError(
      `${path}: ${source === 'cli' ? '--path' : '"path"'} is for one directory: give each entry of "${DIRECTORIES_KEY}" its own.`,
    )
}
