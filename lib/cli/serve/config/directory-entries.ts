import { resolve } from 'node:path'
import { Command, type Option } from 'commander'
import { describeValue } from '../../../validation/describe-value.js'
import { usageError } from '../../output.js'
import type { ServeFlags } from '../flags.js'
import type { DirectoryConfig } from './directory-config.js'
import { keyOf, scopeOf } from './option-scope.js'
import { parseValue } from './option-value.js'
import { unknownKey } from './unknown-key.js'

/** Key for the argument of `serve`. */
export const DIRECTORY_KEY = 'directory'

/** Key for a list of objects, one for each directory. */
export const DIRECTORIES_KEY = 'directories'

const EXAMPLE = '[{ "path": "/evidence", "directory": "evidence" }]'

interface ConfigLocation {
  /** As the user gave it. */
  readonly path: string
  /** Absolute. */
  readonly folder: string
}

/**
 * Reads the list of directories. Options of the command line take precedence over those of an entry, which take
 * precedence over those of the file as a whole.
 *
 * @param command has the options of the command line and of the file as a whole.
 * @throws CliError that names entry and key.
 */
export function readDirectories(
  list: unknown,
  { path, folder }: ConfigLocation,
  command: Command,
): readonly DirectoryConfig[] {
  if (!Array.isArray(list) || list.length === 0) {
    const shown = Array.isArray(list) ? 'an empty list' : describeValue(list)
    throw usageError(`${path}: "${DIRECTORIES_KEY}" is ${shown}: use a list like ${EXAMPLE}.`)
  }
  const entries: readonly unknown[] = list
  return entries.map((entry, index) => {
    const label = `${path}: ${DIRECTORIES_KEY}[${index}]`
    if (typeof entry !== 'object' || entry === null || Array.isArray(entry))
      throw usageError(`${label} is ${describeValue(entry)}: use an object, as in ${EXAMPLE}.`)
    return readEntry(entry, label, folder, command)
  })
}

function readEntry(entry: object, label: string, folder: string, command: Command): DirectoryConfig {
  const own = copyOptions(command)
  let directory: string | undefined
  for (const [key, value] of Object.entries(entry)) {
    const invalid = (advice: string) => usageError(`${label}: "${key}" is ${describeValue(value)}: ${advice}`)
    if (key === DIRECTORY_KEY) {
      if (typeof value !== 'string' || value === '') throw invalid('use a path.')
      directory = resolve(folder, value)
      continue
    }
    const option = optionFor(key, label, command.options)
    const parsed = parseValue(option, value, folder, invalid)
    const name = option.attributeName()
    if (own.getOptionValueSource(name) !== 'cli') own.setOptionValueWithSource(name, parsed, 'config')
  }
  const flags = own.opts<ServeFlags>()
  if (directory === undefined && flags.s3Bucket === undefined)
    throw usageError(`${label} has no place for its files: use "${DIRECTORY_KEY}", or "s3-bucket".`)
  return { label: `${label} (${flags.path})`, flags, ...(directory !== undefined && { directory }) }
}

/** @throws CliError when there is no such option, or it is for the whole server. */
function optionFor(key: string, label: string, options: readonly Option[]): Option {
  const option = options.find((one) => keyOf(one) === key && scopeOf(one) !== 'command line')
  if (option && scopeOf(option) === 'directory') return option
  if (option)
    throw usageError(
      `${label}: "${key}" is for the whole server: move it out of "${DIRECTORIES_KEY}", to the top level of the file.`,
    )
  const known = options.filter((one) => scopeOf(one) === 'directory').map(keyOf)
  throw unknownKey(label, key, [DIRECTORY_KEY, ...known])
}

/** A command with the same options and values, which can be changed without changing the original. */
function copyOptions(command: Command): Command {
  const copy = new Command()
  for (const option of command.options) {
    const name = option.attributeName()
    copy.addOption(option)
    copy.setOptionValueWithSource(name, command.getOptionValue(name), command.getOptionValueSource(name))
  }
  return copy
}
