import { closestName } from './closest-name.js'
import { describeValue } from './describe-value.js'
import { OptionError } from './option-error.js'

/** What a value should be instead; `undefined` when it is valid. */
export type Check = (value: unknown) => string | undefined

/** One check for each option: one without does not compile. */
export type OptionChecks<Options> = { readonly [Name in keyof Required<Options>]: Check }

/** The options that a function or class takes. */
export interface OptionsSchema<Options> {
  /** The function or class. Starts each message. */
  readonly name: string
  readonly checks: OptionChecks<Options>
  /** Options without a default. */
  readonly required?: readonly (keyof Options & string)[]
  /** Options that contain secrets. A string passed instead is not shown, because messages are logged. */
  readonly secret?: readonly (keyof Options & string)[]
}

/**
 * Checks options one by one. `undefined` counts as absent.
 *
 * @throws OptionError that names the option, its value and what to pass instead.
 */
export function checkEach<Options>(
  { name: subject, checks, required = [], secret = [] }: OptionsSchema<Options>,
  options: unknown,
): void {
  if (typeof options !== 'object' || options === null) {
    const expected = required.length > 0 ? 'an object' : 'an object, or nothing'
    throw new OptionError({ subject, problem: `the options are ${describeValue(options)}`, expected })
  }
  const known = new Map<string, Check>(Object.entries(checks))
  const needed = new Set<string>(required)
  const secrets = new Set<string>(secret)
  const unknown = findUnknownKey(options, checks)
  if (unknown !== undefined) throw unknownOption(subject, unknown, [...known.keys()])
  for (const [option, check] of known) {
    const value: unknown = Reflect.get(options, option)
    const expected = value === undefined && !needed.has(option) ? undefined : check(value)
    if (!expected) continue
    const shown = secrets.has(option) && typeof value === 'string' ? 'a string' : describeValue(value)
    throw new OptionError({ subject, option, problem: `is ${shown}`, expected })
  }
}

/** The first key of `value` that `names` does not have. */
export const findUnknownKey = (value: object, names: object): string | undefined =>
  Object.keys(value).find((name) => !Object.hasOwn(names, name))

function unknownOption(subject: string, name: string, known: readonly string[]): OptionError {
  const meant = closestName(name, known)
  const expected = meant ?? `one of ${known.join(', ')}`
  const advice = meant === undefined ? `the options are ${known.join(', ')}.` : `did you mean ${meant}?`
  return new OptionError({ subject, problem: `there is no option ${JSON.stringify(name)}`, expected, advice })
}
