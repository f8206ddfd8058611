import { OptionError } from 'express-bits-upload'
import { type CliError, usageError } from './output.js'

/** Options whose flags have other names. */
const IRREGULAR_FLAGS: ReadonlyMap<string, string> = new Map([['headers', '--header']])

/** The flag that sets an option of the package. */
const flagOf = (option: string, names: FlagNames): string =>
  names[option] ??
  IRREGULAR_FLAGS.get(option) ??
  `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`

/** Flags by the names of the options that they set. */
export type FlagNames = Readonly<Record<string, string>>

/**
 * Turns an invalid option into a usage error that names its flag; returns other errors unchanged.
 *
 * @param names for flags whose name does not follow from that of the option.
 */
export function namingFlag(error: unknown, names: FlagNames = {}): unknown {
  // Node refuses some headers and URLs itself.
  if (!isOptionError(error)) return error instanceof TypeError ? usageError(error.message) : error
  const { option, problem, expected, message } = error
  return option === undefined ? usageError(message) : flagError(flagOf(option, names), problem, expected)
}

const flagError = (flag: string, problem: string, expected: string): CliError =>
  usageError(`${flag} ${problem}: use ${expected}.`)

/** Also by name: the client is a separate entry point with its own copy of the class. */
const isOptionError = (error: unknown): error is OptionError =>
  error instanceof OptionError || (error instanceof TypeError && error.name === 'OptionError')
