import { resolve } from 'node:path'
import { InvalidArgumentError, type Option } from 'commander'
import { collect } from '../../values.js'

/**
 * Returns the value that an option would get from the command line.
 *
 * @param folder where the file is: paths are relative to it.
 * @param invalid makes the error for an invalid value.
 */
export function parseValue(
  option: Option,
  value: unknown,
  folder: string,
  invalid: (advice: string) => Error,
): unknown {
  if (option.isBoolean() || option.negate) {
    if (typeof value !== 'boolean') throw invalid('use true or false.')
    // As in commander, an option that is not given is absent.
    return value || option.negate ? value : undefined
  }
  // For `--metrics [path]`, true stands for the default path.
  if (option.optional && typeof value === 'boolean') return value || undefined
  const isRepeatable = option.parseArg === collect
  const values: readonly unknown[] = isRepeatable && Array.isArray(value) ? value : [value]
  const texts = values.map((one) => {
    if (typeof one === 'string' && one !== '') return absolute(option, one, folder)
    if (typeof one === 'number' && !isRepeatable && option.parseArg) return String(one)
    throw invalid(`use a string${isRepeatable ? ', or a list of strings' : ''}.`)
  })
  if (isRepeatable) return texts
  const [text = ''] = texts
  try {
    return option.parseArg ? option.parseArg(text, undefined) : text
  } catch (error) {
    if (error instanceof InvalidArgumentError) throw invalid(error.message)
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
