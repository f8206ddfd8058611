import type { Request } from 'express'
import { BitsError } from 'express-bits-upload'
import { property } from '../../../util/property.js'
import { type IdentifyUser, rememberUser } from '../authenticate.js'

/** Identifies the user by the common name of the client's certificate, which the TLS server has verified. */
export const authenticateByCertificate: IdentifyUser = async (req) => {
  const name = commonNameOf(req)
  if (name === undefined)
    throw new BitsError({ status: 403 }, 'The certificate of the client has no common name, or several.')
  rememberUser(req, name)
  return name
}

function commonNameOf({ socket }: Request): string | undefined {
  if (!('getPeerCertificate' in socket) || typeof socket.getPeerCertificate !== 'function') return undefined
  const certificate: unknown = socket.getPeerCertificate()
  const subject = property(certificate, 'subject')
  const name = property(subject, 'CN')
  return typeof name === 'string' && name !== '' ? name : undefined
}
