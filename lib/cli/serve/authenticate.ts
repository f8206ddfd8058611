import basicAuth from 'basic-auth'
import type { Request, RequestHandler } from 'express'
import { BitsError } from 'express-bits-upload'
import { asError } from '../../util/errors.js'
import { printError } from '../say.js'
import type { HtpasswdFile } from './htpasswd.js'

/** Who makes a request. @throws BitsError with the status to answer, when nobody who may does. */
export type Authenticate = (req: Request) => Promise<string | undefined>

const names = new WeakMap<object, string>()

/** The user that {@link Authenticate} found a request to be of. */
export const userOf = (req: object): string | undefined => names.get(req)

/** Asks for name and password (HTTP Basic) and looks them up. */
export function authenticateBy(users: HtpasswdFile, realm: string): Authenticate {
  const challenge = {
    'WWW-Authenticate': `Basic realm="${realm.replace(/["\\]/g, '\\$&')}", charset="UTF-8"`,
  }
  return async (req) => {
    const credentials = basicAuth(req)
    if (!credentials)
      throw new BitsError({ status: 401, headers: challenge }, 'No name and password were sent.')
    if (!(await isRight(users, credentials))) {
      throw new BitsError({ status: 401, headers: challenge }, 'Wrong name or password.')
    }
    names.set(req, credentials.name)
    return credentials.name
  }
}

/** Nobody is refused for good because of a file that cannot be read just now. */
async function isRight(users: HtpasswdFile, { name, pass }: basicAuth.BasicAuthResult): Promise<boolean> {
  try {
    return await users.isRight(name, pass)
  } catch (error) {
    const message = asError(error).message
    printError(`error: ${message}`)
    throw new BitsError({ status: 503 }, message)
  }
}

/** The same for requests that are no uploads. */
export function requireUser(authenticate: Authenticate): RequestHandler {
  return (req, res, next) => {
    authenticate(req)
      .then(() => next())
      .catch((error: unknown) => {
        if (!(error instanceof BitsError)) return next(error)
        res.set(error.headers).sendStatus(error.status)
      })
  }
}
