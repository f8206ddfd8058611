import type { RequestHandler } from 'express'
import type { BitsUpload } from '../bits-upload.js'
import { type Check, checkEach, type OptionChecks } from '../validation/check-options.js'

/** Options of {@link bitsHealth}. */
export interface BitsHealthOptions {
  /**
   * Tell the client why something cannot be used. The reasons may name directories and hosts: set this to false if
   * untrusted clients can send requests. The response then says `failed`. Default: true.
   */
  details?: boolean | undefined
}

const isFlag: Check = (value) => (typeof value === 'boolean' ? undefined : 'true or false')
const HEALTH_OPTIONS: OptionChecks<BitsHealthOptions> = { details: isFlag }

/**
 * A handler for readiness checks: 200 when storage and session store can be used, 503 when not, and from
 * `bits.close()` on. The body is JSON: `{ storage, sessions }`, each `ok` or what is wrong. Adapters are checked at
 * most once a second.
 *
 * @example app.get('/health', bitsHealth(bits))
 * @throws OptionError that names the option, its value and what is expected.
 * @throws TypeError if `bits` is not what `bitsUpload()` returned.
 */
export function bitsHealth(
  bits: Pick<BitsUpload, 'health'>,
  options: BitsHealthOptions = {},
): RequestHandler {
  checkEach({ name: 'bitsHealth', checks: HEALTH_OPTIONS }, options)
  if (typeof Reflect.get(Object(bits), 'health') !== 'function') {
    throw new TypeError('bitsHealth: the first argument must be what bitsUpload() returned.')
  }
  const shown = (state: string) => (state === 'ok' || options.details !== false ? state : 'failed')
  return (_req, res, next) => {
    bits
      .health()
      .then(({ storage, sessions }) => {
        const isOk = storage === 'ok' && sessions === 'ok'
        res
          .status(isOk ? 200 : 503)
          .set('Cache-Control', 'no-store')
          .json({ storage: shown(storage), sessions: shown(sessions) })
      })
      .catch(next)
  }
}
