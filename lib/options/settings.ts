import type { BitsUploadOptions } from '../../types/options.js'
import { safeLogger } from '../logging/safe-logger.js'
import { checkOptions } from './checks.js'
import { type ServerSettings, UPLOAD_OPTIONS } from './upload-options.js'

/**
 * Checks options and fills in the defaults.
 *
 * @throws OptionError that names the option, its value and what to pass instead.
 */
export function readOptions(options: BitsUploadOptions): ServerSettings {
  checkOptions(options)
  const settings = withDefaults(options)
  return { ...settings, logger: safeLogger(settings.logger) }
}

/** The table's own type says which settings this has. */
function withDefaults(options: BitsUploadOptions): ServerSettings
function withDefaults(options: object): object {
  const settings = Object.entries(UPLOAD_OPTIONS).map(([name, row]) => {
    const given: unknown = Reflect.get(options, name)
    if (given === undefined) return [name, 'default' in row ? row.default : undefined]
    // An options object of a class may have methods that use `this`.
    return [name, typeof given === 'function' ? given.bind(options) : given]
  })
  return Object.fromEntries(settings)
}

/** Sessions that a user may have open: anonymous clients have no limit unless the option gives one. */
export function maxSessionsOf(user: string | undefined, { maxSessionsPerUser }: ServerSettings): number {
  return maxSessionsPerUser ?? (user === undefined ? Number.POSITIVE_INFINITY : 50)
}
