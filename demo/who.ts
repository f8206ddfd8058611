import { createHash, timingSafeEqual } from 'node:crypto'
import type { Request } from 'express'
import { BitsError } from 'express-bits-upload'

/**
 * For the option `user`: returns the name of a client that sends the right password (HTTP Basic, so use https beyond
 * your own machine), and `undefined` for guests, who send no credentials. To exclude guests, throw for them as well:
 * Windows then sends the credentials of `Start-BitsTransfer -Authentication Basic -Credential`.
 *
 * @throws BitsError 401 for a wrong name or password.
 */
export function authenticate(users: Readonly<Record<string, string>>): (req: Request) => string | undefined {
  const passwords = new Map(Object.entries(users))
  return (req) => {
    const header = req.get('authorization')
    if (header === undefined) return undefined
    const [name, password] = basicCredentials(header)
    const right = passwords.get(name)
    if (right !== undefined && isSameString(password, right)) return name
    const challenge = { 'WWW-Authenticate': 'Basic realm="uploads", charset="UTF-8"' }
    throw new BitsError({ status: 401, headers: challenge }, 'Wrong user name or password.')
  }
}

function basicCredentials(header: string): [name: string, password: string] {
  const [, encoded = ''] = /^basic +(\S+)$/i.exec(header) ?? []
  const [name = '', ...password] = Buffer.from(encoded, 'base64').toString().split(':')
  return [name, password.join(':')]
}

/** Takes the same time wherever the strings differ. */
const isSameString = (one: string, other: string): boolean => timingSafeEqual(hashOf(one), hashOf(other))

const hashOf = (text: string): Buffer => createHash('sha256').update(text).digest()
