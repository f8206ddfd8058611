import { describeValue } from './describe-value.js'

/** What a value should be instead; `undefined` when it is right. */
export type Check = (value: unknown) => string | undefined

/** One check for each option: one without does not compile. */
export type OptionChecks<Options> = { readonly [Name in keyof Required<Options>]: Check }

/** Who takes options, and which. */
export interface OptionsSchema<Options> {
  /** Begins the sentences. */
  readonly name: string
  readonly checks: OptionChecks<Options>
  /** Those without a default. */
  readonly required?: readonly (keyof Options & string)[]
  /** Those that hold secrets: of a text in their place nothing is shown, as sentences are logged. */
  readonly secret?: readonly (keyof Options & string)[]
}

/**
 * Checks options one by one. `undefined` stands for what is left out.
 *
 * @throws TypeError a sentence that names the option, its value and what to give instead.
 */
export function checkEach<Options>(
  { name: taker, checks, required = [], secret = [] }: OptionsSchema<Options>,
  options: unknown,
): void {
  if (typeof options !== 'object' || options === null) {
    const expected = required.length > 0 ? 'an object' : 'an object, or nothing'
    throw new TypeError(`${taker}: its options are ${describeValue(options)}: give ${expected}.`)
  }
  const known = new Map<string, Check>(Object.entries(checks))
  const needed = new Set<string>(required)
  const secrets = new Set<string>(secret)
  const unknown = findUnknownKey(options, checks)
  if (unknown !== undefined) throw new TypeError(`${taker}: ${unknownOption(unknown, [...known.keys()])}`)
  for (const [name, check] of known) {
    const value: unknown = Reflect.get(options, name)
    const expected = value === undefined && !needed.has(name) ? undefined : check(value)
    if (!expected) continue
    const what = secrets.has(name) && typeof value === 'string' ? 'a text' : describeValue(value)
    throw new TypeError(`${taker}: the option ${name} is ${what}: give ${expected}.`)
  }
}

/** The first of a value's names that is none of these. */
export const findUnknownKey = (value: object, names: object): string | undefined =>
  Object.keys(value).find((name) => !Object.hasOwn(names, name))

function unknownOption(name: string, known: readonly string[]): string {
  const meant = known.find((other) => other.toLowerCase() === name.toLowerCase())
  const hint = meant ? `did you mean ${meant}?` : `there are ${known.join(', ')}.`
  return `there is no option ${JSON.stringify(name)}: ${hint}`
}
