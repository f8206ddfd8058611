/** The server is too busy to check a password: the client should try again later. */
export class TooBusyError extends Error {
  override readonly name = 'TooBusyError'
}

export const busy = (): TooBusyError => new TooBusyError('Too many passwords wait to be checked.')
