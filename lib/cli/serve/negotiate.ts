import type { Request } from 'express'
import { BitsError } from 'express-bits-upload'
import type { Negotiate } from 'express-bits-upload/negotiate'
import { asError } from '../../util/errors.js'
import { namingFlag } from '../option-flags.js'
import { CliError, EXIT } from '../output.js'
import { type IdentifyUser, rememberUser } from './authenticate.js'
import type { ServeFlags } from './flags.js'
import { logger } from './logger.js'

/** Tells whether a user's password is correct. */
export type CheckPassword = (name: string, password: string, req: Request) => Promise<boolean>

type TicketFlags = Pick<ServeFlags, 'service' | 'keytab' | 'realm' | 'verbose'>

/**
 * Identifies the user by the principal of the client's Kerberos ticket.
 *
 * @param checkPassword accepts names and passwords, too.
 * @throws CliError when tickets cannot be accepted.
 */
export async function authenticateByTicket(
  flags: TicketFlags,
  checkPassword?: CheckPassword,
): Promise<IdentifyUser> {
  const tickets = await acceptTickets(flags, checkPassword)
  return async (req) => {
    try {
      const user = await tickets.authenticate(req)
      rememberUser(req, user)
      return user
    } catch (error) {
      throw asBitsError(error)
    }
  }
}

async function acceptTickets(
  { service, keytab, realm, verbose }: TicketFlags,
  basic: CheckPassword | undefined,
): Promise<Negotiate> {
  const { negotiate } = await import('express-bits-upload/negotiate')
  try {
    const tickets = negotiate({ service, keytab, realm, basic, logger: logger(verbose === true) })
    await tickets.ready()
    return tickets
  } catch (error) {
    const named = namingFlag(error)
    if (named instanceof CliError) throw named
    throw new CliError(EXIT.failure, `--negotiate: ${asError(error).message}`, { cause: error })
  }
}

/** The response already has its challenge. */
function asBitsError(error: unknown): unknown {
  if (error instanceof BitsError || !(error instanceof Error)) return error
  const status: unknown = Reflect.get(error, 'status')
  return status === 401 || status === 503
    ? new BitsError({ status, headers: status === 503 ? { 'Retry-After': '30' } : {} }, error.message, {
        cause: error,
      })
    : error
}
