import { createRequire } from 'node:module'
import { asError, errorCode } from '../util/errors.js'

/** The server's side of one exchange of tokens. */
export interface KerberosServer {
  /** Base64 of the token to return; `null` when there is none. */
  readonly response: string | null
  /** The client's principal; `null` before the exchange is complete. */
  readonly username: string | null
  readonly contextComplete: boolean
  step(token: string): Promise<unknown>
}

/** The client's side of one exchange of tokens. */
export interface KerberosClient {
  readonly response: string | null
  readonly contextComplete: boolean
  step(token: string): Promise<unknown>
}

/** The part of the package `kerberos` (7) that is used. Its calls run in Node's thread pool. */
export interface Kerberos {
  readonly GSS_MECH_OID_SPNEGO: number
  initializeServer(service: string): Promise<KerberosServer>
  initializeClient(service: string, options: { mechOID: number }): Promise<KerberosClient>
}

/**
 * Loads the package `kerberos`, which an app installs only if it uses Kerberos.
 *
 * @throws Error that says what to install.
 */
export function loadKerberos(): Kerberos {
  const loaded = load()
  if (isKerberos(loaded)) return loaded
  throw new Error(
    'express-bits-upload/negotiate: the installed package "kerberos" is too old or too new: run "npm install kerberos@7".',
  )
}

function load(): unknown {
  try {
    return createRequire(import.meta.url)('kerberos')
  } catch (cause) {
    const isMissing = errorCode(cause) === 'MODULE_NOT_FOUND' && /'kerberos'/.test(asError(cause).message)
    const problem = isMissing
      ? 'the package "kerberos" is not installed: run "npm install kerberos@7".'
      : `the package "kerberos" cannot be loaded: ${asError(cause).message.split('\n', 1)[0]}.`
    throw new Error(
      `express-bits-upload/negotiate: ${problem} On Linux, it may need a compiler and libkrb5-dev.`,
      { cause },
    )
  }
}

const isKerberos = (loaded: unknown): loaded is Kerberos =>
  typeof loaded === 'object' &&
  loaded !== null &&
  typeof Reflect.get(loaded, 'initializeServer') === 'function' &&
  typeof Reflect.get(loaded, 'initializeClient') === 'function' &&
  typeof Reflect.get(loaded, 'GSS_MECH_OID_SPNEGO') === 'number'
