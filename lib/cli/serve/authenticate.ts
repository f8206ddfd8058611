import basicAuth from 'basic-auth'
import type { Request, RequestHandler } from 'express'
import { BitsError } from 'express-bits-upload'
import { asError } from '../../util/errors.js'
import { printError } from '../say.js'
import type { HtpasswdFile } from './passwords/htpasswd-file.js'
import type { PasswordGate } from './passwords/password-gate.js'
import { TooBusyError } from './passwords/too-busy-error.js'

/** Returns the name of the user making a request. @throws BitsError with the status to answer when access is denied. */
export type IdentifyUser = (req: Request) => Promise<string | undefined>

/** Seconds after which a client should try again when the server is too busy. */
const BUSY_RETRY_AFTER = '10'

const names = new WeakMap<object, string>()

/** The user that {@link IdentifyUser} identified for a request. */
export const userOf = (req: object): string | undefined => names.get(req)

/** Records the user for the access log. */
export const rememberUser = (req: object, name: string): void => void names.set(req, name)

/** Requires a name and password (HTTP Basic) and verifies them. */
export function authenticateBy(users: HtpasswdFile, gate: PasswordGate, realm: string): IdentifyUser {
  const challenge = {
    'WWW-Authenticate': `Basic realm="${realm.replace(/["\\]/g, '\\$&')}", charset="UTF-8"`,
  }
  return async (req) => {
    const credentials = basicAuth(req)
    if (!credentials)
      throw new BitsError({ status: 401, headers: challenge }, 'The request has no name and password.')
    if (!(await isRight(users, gate, credentials, req))) {
      throw new BitsError({ status: 401, headers: challenge }, 'Wrong name or password.')
    }
    rememberUser(req, credentials.name)
    return credentials.name
  }
}

/** A 401 would end the client's job: when the password cannot be checked now, respond with 503 so that it retries. */
export async function isRight(
  users: HtpasswdFile,
  gate: PasswordGate,
  { name, pass }: basicAuth.BasicAuthResult,
  req: Request,
): Promise<boolean> {
  const end = endOf(req)
  try {
    const entry = await users.hashOf(name)
    const credentials = { address: req.socket.remoteAddress, user: name, password: pass, ...entry }
    return await gate.isRight(credentials, end.signal)
  } catch (error) {
    const { message } = asError(error)
    if (error instanceof TooBusyError)
      throw new BitsError({ status: 503, headers: { 'Retry-After': BUSY_RETRY_AFTER } }, message)
    printError(`error: ${message}`)
    throw new BitsError({ status: 503 }, message)
  } finally {
    end.release()
  }
}

/** Returns a source of a signal, created on demand, that aborts when the client disconnects before the response. */
function endOf(req: Request): { signal(): AbortSignal; release(): void } {
  const controller = new AbortController()
  const abort = () => controller.abort()
  return {
    signal: () => {
      if (req.destroyed) abort()
      else req.once('close', abort)
      return controller.signal
    },
    release: () => void req.off('close', abort),
  }
}

/** Requires a user for requests that are not uploads. */
export function requireUser(authenticate: IdentifyUser): RequestHandler {
  return (req, res, next) => {
    authenticate(req)
      .then(() => next())
      .catch((error: unknown) => {
        if (!(error instanceof BitsError)) return next(error)
        res.set(error.headers).sendStatus(error.status)
      })
  }
}
