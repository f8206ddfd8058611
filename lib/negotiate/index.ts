export { OptionError } from '../validation/option-error.js'
export { AuthenticationError } from './authentication-error.js'
export { type Negotiate, negotiate } from './negotiate.js'
export type { NegotiateOptions } from './options.js'
