import type { Request } from 'express'
import type { Awaitable } from '../../types/awaitable.js'
import type { Logger } from '../../types/options.js'
import { QUIET_CONSOLE } from '../logging/quiet-console.js'
import { safeLogger } from '../logging/safe-logger.js'
import { type Check, checkEach, type OptionChecks } from '../validation/check-options.js'
import { OptionError } from '../validation/option-error.js'
import { isBoolean, isFunction, isPath, objectWith } from '../validation/value-checks.js'
import { useKeytab } from './keytab.js'

/** Options of {@link negotiate}. All are optional; `undefined` means the default. */
export interface NegotiateOptions {
  /**
   * The service whose tickets are accepted: `HTTP@host`, or `HTTP` for every host that the keytab has a key for.
   * Default: `HTTP`. With a host, Kerberos may look its name up in DNS for each request.
   */
  service?: string | undefined
  /**
   * Path of the keytab. It applies to the whole process, because this sets `KRB5_KTNAME`. Default: that of
   * `KRB5_KTNAME`, or else `/etc/krb5.keytab`.
   */
  keytab?: string | undefined
  /**
   * Remove the realm from the user's name, so that `alice@EXAMPLE.COM` becomes `alice`. With the name of a realm, only
   * users of that realm lose it. With `true`, users with the same name in several trusted realms become one. Default:
   * false.
   */
  stripRealm?: boolean | string | undefined
  /**
   * Authenticate each connection only once, not every request. Connections of trusted proxies, and those whose requests
   * name a proxy, still authenticate every request, since they serve several users. Default: false.
   */
  persistent?: boolean | undefined
  /** Also accept HTTP Basic: checks a name and a password. Default: Negotiate only. */
  basic?: ((name: string, password: string, req: Request) => Awaitable<boolean>) | undefined
  /** Name of this server in password prompts. Default: `uploads`. */
  realm?: string | undefined
  /** Receives log messages. Default: warnings and errors go to `console`. */
  logger?: Logger | undefined
}

/** {@link NegotiateOptions} with their defaults. */
export interface NegotiateSettings {
  readonly service: string
  readonly stripRealm: boolean | string
  readonly persistent: boolean
  readonly basic: NegotiateOptions['basic']
  readonly realm: string
  readonly logger: Logger
}

const isService: Check = (value) =>
  typeof value === 'string' && /^[\w-]+(?:@[\w.-]+)?$/.test(value)
    ? undefined
    : "'HTTP@host', or 'HTTP' for every host in the keytab"

/** A service with its host. */
export const isHostService: Check = (value) =>
  typeof value === 'string' && /^[\w-]+@[\w.-]+$/.test(value) ? undefined : "'HTTP@host'"

const isRealmText: Check = (value) =>
  typeof value === 'string' && /^[\x20-\x7e]+$/.test(value)
    ? undefined
    : 'a string of printable ASCII characters'

const isStripRealm: Check = (value) =>
  typeof value === 'string' && value !== '' ? undefined : isBoolean(value) && 'true, false, or a realm'

const NEGOTIATE_OPTIONS: OptionChecks<NegotiateOptions> = {
  service: isService,
  keytab: isPath,
  stripRealm: isStripRealm,
  persistent: isBoolean,
  basic: isFunction,
  realm: isRealmText,
  logger: objectWith({ info: true, warn: true, error: true }, 'a logger such as console'),
}

const NEGOTIATE_SUBJECT = 'negotiate'

/** @throws OptionError if an option is invalid, or the keytab cannot be used. */
export function negotiateSettings(options: NegotiateOptions): NegotiateSettings {
  checkEach({ name: NEGOTIATE_SUBJECT, checks: NEGOTIATE_OPTIONS }, options)
  const { keytab } = options
  const expected = keytab === undefined ? undefined : useKeytab(keytab)
  if (expected !== undefined)
    throw new OptionError({ subject: NEGOTIATE_SUBJECT, option: 'keytab', problem: `is ${keytab}`, expected })
  return {
    service: options.service ?? 'HTTP',
    stripRealm: options.stripRealm ?? false,
    persistent: options.persistent ?? false,
    basic: options.basic,
    realm: options.realm ?? 'uploads',
    logger: safeLogger(options.logger ?? QUIET_CONSOLE),
  }
}
