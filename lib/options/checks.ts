import type { BitsUploadOptions } from '../../types/options.js'
import { checkEach, type OptionChecks } from '../validation/check-options.js'
import { describeValue } from '../validation/describe-value.js'
import { OptionError } from '../validation/option-error.js'
import { UPLOAD_OPTIONS } from './upload-options.js'

const UPLOAD_SUBJECT = 'bitsUpload()'

/** The table's own type says that it has a check for each option. */
function checksOf(table: typeof UPLOAD_OPTIONS): OptionChecks<BitsUploadOptions>
function checksOf(table: object): object {
  return Object.fromEntries(Object.entries(table).map(([name, { check }]) => [name, check]))
}

const CHECKS_BY_OPTION = checksOf(UPLOAD_OPTIONS)

const mayDiffer = new Set(
  Object.entries(UPLOAD_OPTIONS)
    .filter(([, row]) => 'perRequest' in row)
    .map(([name]) => name),
)

const wrongOption = (option: string, problem: string, expected: string): OptionError =>
  new OptionError({ subject: UPLOAD_SUBJECT, option, problem, expected })

/**
 * Checks options one by one, and those that exclude each other.
 *
 * @throws OptionError that names the option, its value and what to pass instead.
 */
export function checkOptions(options: BitsUploadOptions): void {
  checkEach({ name: UPLOAD_SUBJECT, checks: CHECKS_BY_OPTION, secret: ['notification'] }, options)
  const { storage, directory, onUpload, notification, hostId, hostIdFallbackTimeout } = options
  if (storage && directory)
    throw wrongOption('directory', 'is short for a FileStorage', 'storage or directory, not both')
  if (onUpload && notification)
    throw wrongOption('notification', 'excludes onUpload', 'onUpload or notification, not both')
  if (hostIdFallbackTimeout !== undefined && hostId === undefined)
    throw wrongOption('hostIdFallbackTimeout', 'limits how long clients try hostId', 'hostId, too')
  if (notification?.type === 'by-reference' && storage && !(storage.path && storage.replyPath)) {
    const problem = 'by-reference passes paths of files, which the storage lacks (path(), replyPath())'
    throw wrongOption('notification', problem, "a FileStorage, or type: 'by-value'")
  }
}

/**
 * Checks what `perRequest` returned, as far as {@link checkOptions} does not.
 *
 * @throws OptionError as {@link checkOptions}.
 */
export function checkRequestSettings(settings: unknown): void {
  if (typeof settings !== 'object' || settings === null)
    throw wrongOption('perRequest', `returned ${describeValue(settings)}`, 'settings, or nothing')
  const fixed = Object.keys(settings).find(
    (name) => Object.hasOwn(UPLOAD_OPTIONS, name) && !mayDiffer.has(name),
  )
  if (fixed !== undefined) {
    const problem = `returned ${fixed}, which is the same for all requests`
    throw wrongOption('perRequest', problem, `${fixed} to bitsUpload()`)
  }
  const given = (name: string) => Reflect.get(settings, name) !== undefined
  if (given('sessionStore') && !given('storage') && !given('directory'))
    throw wrongOption('perRequest', 'returned sessionStore alone', 'its storage or directory, too')
}

/**
 * Checks what the option `user` returned: an app in plain JavaScript may return anything. Users are compared, even
 * after a restart, so the value must be unchanged after storing it in any store.
 *
 * @returns `undefined` for an anonymous client.
 * @throws OptionError with the type of the value. The value itself may be personal, and messages are logged.
 */
export function checkUser(user: unknown): string | undefined {
  if (user === undefined || user === null) return undefined
  if (typeof user === 'string') return user
  throw wrongOption(
    'user',
    `returned a value of type ${typeof user}`,
    'a string, or undefined or null for anonymous',
  )
}
