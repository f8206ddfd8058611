import type { CompletedUpload } from 'express-bits-upload'

/** Starts the names of the variables with the facts of an upload. */
const PREFIX = 'BITS_UPLOAD_'

/**
 * The environment of the program: that of the server, and the facts of an upload. Names that clients choose are passed
 * here and not as arguments, where one could look like an option.
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
  // A fact that is absent must not be taken from the environment of the server.
  const inherited = Object.entries(own).filter(([name]) => !name.toUpperCase().startsWith(PREFIX))
  const given = Object.entries(facts).map(([name, value]) => [PREFIX + name, value])
  return Object.fromEntries([...inherited, ...given.filter(([, value]) => value !== undefined)])
}
