import { basename } from 'node:path'
import { usageError } from '../output.js'

/**
 * The URL of the file on the server; one that ends with a slash gets the file's name.
 *
 * @throws Failure when it is none, without showing it: there may be a password in it.
 */
export function destinationUrl(file: string, destination: string): URL {
  if (!URL.canParse(destination) || !/^https?:$/.test(new URL(destination).protocol)) {
    throw usageError('the destination is no http: or https: URL, such as http://server:8080/report.zip.')
  }
  const url = new URL(destination)
  if (url.pathname.endsWith('/')) url.pathname += encodeURIComponent(basename(file))
  return url
}

/** Does nothing that is sent there leave this machine? */
export const isLocal = ({ hostname }: URL): boolean => /^(?:localhost|127\.[\d.]+|\[::1\])$/.test(hostname)
