import { type IisOptions, type IisProperties, iisOptions } from 'express-bits-upload'
import { asError } from '../../util/errors.js'
import { usageError } from '../output.js'
import { readTextFile } from '../read-text-file.js'
import { printError } from '../say.js'
import type { ServeFlags } from './flags.js'

type Values = Map<string, string | number | boolean>

/**
 * Derives the options that `--iis` and `--iis-file` set.
 *
 * @throws CliError when they are invalid, or contradict each other.
 */
export async function optionsOfIis({
  iis = [],
  iisFile,
}: Pick<ServeFlags, 'iis' | 'iisFile'>): Promise<IisOptions> {
  const properties: Values = iisFile === undefined ? new Map() : await readProperties(iisFile)
  const flags = readFlags(iis)
  for (const [name, value] of flags) {
    const other = properties.get(name)
    if (other !== undefined && String(other) !== value) {
      throw usageError(
        `--iis says ${name}=${value}, and ${iisFile} says ${String(other)}: use only one of them.`,
      )
    }
    properties.set(name, value)
  }
  const given: unknown = Object.fromEntries(properties)
  try {
    return isProperties(given) ? iisOptions(given, { logger: { warn } }) : {}
  } catch (error) {
    throw usageError(forCommandLine(asError(error).message))
  }
}

const warn = (message: string): void => printError(`warning: ${forCommandLine(message)}`)

const forCommandLine = (message: string): string => message.replace(/^iisOptions\(\)/, 'IIS properties')

function readFlags(flags: readonly string[]): Map<string, string> {
  const values = new Map<string, string>()
  for (const flag of flags) {
    const [, name = '', value = ''] = /^(\w+)=(.*)$/s.exec(flag) ?? []
    if (name === '')
      throw usageError(`--iis ${flag}: use a property and its value, BITSAllowOverwrites=1 for example.`)
    const other = values.get(name)
    if (other !== undefined && other !== value) {
      throw usageError(`--iis says ${name}=${other} and ${name}=${value}: use only one of them.`)
    }
    values.set(name, value)
  }
  return values
}

async function readProperties(path: string): Promise<Values> {
  const wrong = (what: string) =>
    usageError(`--iis-file ${path}: ${what}; it should hold an object like { "BITSAllowOverwrites": 1 }.`)
  const text = await readTextFile('--iis-file', path)
  const values: Values = new Map()
  for (const [name, value] of Object.entries(parseProperties(text, wrong))) {
    if (value === null) continue
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') {
      throw wrong(`${name} is not a string, a number or a boolean`)
    }
    values.set(name, value)
  }
  return values
}

function parseProperties(text: string, wrong: (what: string) => Error): object {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw wrong('it is not JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrong('it is not a JSON object')
  return value
}

/** `iisOptions()` itself checks names and values. */
const isProperties = (value: unknown): value is IisProperties => typeof value === 'object' && value !== null
