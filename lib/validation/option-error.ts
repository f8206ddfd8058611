/** What is wrong with an option, in parts, so that a command line can name its flag instead. */
interface OptionProblem {
  /** The function or class that takes the option. Starts the message. */
  readonly subject: string
  /** Name of the option; absent when the options as a whole are wrong. */
  readonly option?: string
  /** What is wrong, ready to follow the option's name: "is -1". */
  readonly problem: string
  /** What to use instead, ready to follow "use": "a whole number of bytes". */
  readonly expected: string
  /** Ends the message. Default: "use", and what is expected. */
  readonly advice?: string
}

/**
 * An invalid option. The message names the option, its value and what to pass instead.
 *
 * @example if (error instanceof OptionError) console.error(`--${error.option}: use ${error.expected}`)
 */
export class OptionError extends TypeError {
  override readonly name = 'OptionError'
  /** Name of the option; `undefined` when the options as a whole are wrong. */
  readonly option: string | undefined
  /** What is wrong, ready to follow the option's name: "is -1". It shows no secrets. */
  readonly problem: string
  /** What to use instead, ready to follow "use": "a whole number of bytes". */
  readonly expected: string

  constructor({ subject, option, problem, expected, advice = `use ${expected}.` }: OptionProblem) {
    const what = option === undefined ? problem : `the option ${option} ${problem}`
    super(`${subject}: ${what}: ${advice}`)
    this.option = option
    this.problem = problem
    this.expected = expected
  }
}
