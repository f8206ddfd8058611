import type { CompletedUpload } from 'express-bits-upload'

/** Prefix of the variables that describe an upload. */
const PREFIX = 'BITS_UPLOAD_'

/**
 * Returns the environment of the program: the server's own, and variables that describe the upload. Names that clients
 * choose are passed here and not as arguments, where one could look like an option.
 */
export function environmentFor(upload: CompletedUpload, own: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { session, destination, size, path, digest } = upload
  const facts = {
    ID: session.uploadId,
    DESTINATION: destination,
    SIZE: String(size),
    USER: session.user,
    URL_PATH: session.path,
    FILE: path,
    DIGEST: digest && `${digest.algorithm}:${digest.value}`,
  }
  // A variable without a value must not be inherited from the server's environment.
  const inherited = Object.entries(own).filter(([name]) => !name.toUpperCase().startsWith(PREFIX))
  const given = Object.entries(facts).map(([name, value]) => [PREFIX + name, value])
  return Object.fromEntries([...inherited, ...given.filter(([, value]) => value !== undefined)])
}
