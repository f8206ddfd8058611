import { dirname, resolve } from 'node:path'
import { type Command, InvalidArgumentError, type Option } from 'commander'
import { closestName } from '../../validation/closest-name.js'
import { describeValue } from '../../validation/describe-value.js'
import { usageError } from '../output.js'
import { readTextFile } from '../read-text-file.js'
import { collect } from '../values.js'

/** Options that belong on the command line only. */
const NO_KEYS: ReadonlySet<string> = new Set(['config', 'check', 'help'])

/** Key for the argument of `serve`. */
const DIRECTORY_KEY = 'directory'

/**
 * Reads the options of a command from a JSON file: each key is the name of a flag without its dashes. Options on the
 * command line take precedence. Paths are relative to the file.
 *
 * @returns the directory that the file names, as an absolute path.
 * @throws CliError that names the key if it is unknown, or its value is invalid.
 */
export async function readConfig(path: string, command: Command): Promise<string | undefined> {
  const entries = parseConfig(path, await readTextFile('--config', path))
  const options = new Map(
    command.options
      .filter((option) => !NO_KEYS.has(option.attributeName()))
      .map((option) => [keyOf(option), option]),
  )
  const folder = dirname(resolve(path))
  let directory: string | undefined
  for (const [key, value] of entries) {
    const wrong = (advice: string) => usageError(`${path}: "${key}" is ${describeValue(value)}: ${advice}`)
    const option = options.get(key)
    if (key === DIRECTORY_KEY) {
      if (typeof value !== 'string' || value === '') throw wrong('give a path.')
      directory = resolve(folder, value)
    } else if (option === undefined) {
      throw unknownKey(path, key, [DIRECTORY_KEY, ...options.keys()])
    } else {
      const parsed = parseValue(option, value, folder, wrong)
      const name = option.attributeName()
      if (command.getOptionValueSource(name) !== 'cli')
        command.setOptionValueWithSource(name, parsed, 'config')
    }
  }
  return directory
}

/** `--no-create-directories` has the key `create-directories`. */
const keyOf = (option: Option): string => (option.long ?? '').replace(/^--(?:no-)?/, '')

function parseConfig(path: string, text: string): [string, unknown][] {
  const example = 'it should hold an object like { "directory": "incoming", "port": 8080 }.'
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw usageError(`--config ${path}: it is not JSON; ${example}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw usageError(`--config ${path}: it is not a JSON object; ${example}`)
  return Object.entries(value)
}

function unknownKey(path: string, key: string, known: readonly string[]): Error {
  const kebab = key.replace(/^--/, '').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  const meant = closestName(kebab, known)
  const advice = meant === undefined ? `the keys are ${known.join(', ')}.` : `did you mean "${meant}"?`
  return usageError(`${path}: there is no key ${JSON.stringify(key)}: ${advice}`)
}

/** Returns the value that the option would get from the command line. */
function parseValue(
  option: Option,
  value: unknown,
  folder: string,
  wrong: (advice: string) => Error,
): unknown {
  if (option.isBoolean() || option.negate) {
    if (typeof value !== 'boolean') throw wrong('give true or false.')
    // As in commander, an option that is not given is absent.
    return value || option.negate ? value : undefined
  }
  const isRepeatable = option.parseArg === collect
  const values: readonly unknown[] = isRepeatable && Array.isArray(value) ? value : [value]
  const texts = values.map((one) => {
    if (typeof one === 'string' && one !== '') return absolute(option, one, folder)
    if (typeof one === 'number' && !isRepeatable && option.parseArg) return String(one)
    throw wrong(`give a string${isRepeatable ? ', or a list of strings' : ''}.`)
  })
  if (isRepeatable) return texts
  const [text = ''] = texts
  try {
    return option.parseArg ? option.parseArg(text, undefined) : text
  } catch (error) {
    if (error instanceof InvalidArgumentError) throw wrong(error.message)
    throw error
  }
}

/** Options take files as `<file>` or `@file`, and programs by path. `-` is standard output. */
function absolute(option: Option, text: string, folder: string): string {
  if (option.flags.endsWith('<file>')) return text === '-' ? text : resolve(folder, text)
  if (option.flags.endsWith('<program>')) return /[\\/]/.test(text) ? resolve(folder, text) : text
  if (option.flags.endsWith('<header>') && text.startsWith('@')) return `@${resolve(folder, text.slice(1))}`
  return text
}
