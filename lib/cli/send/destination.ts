import { usageError } from '../output.js'

/**
 * The URL of a file on the server; one that ends with a slash gets the file's name.
 *
 * @param names the file's name, after those of the directories that it keeps.
 * @throws CliError when it is not a URL, without showing it: there may be a password in it.
 */
export function destinationUrl(destination: string, names: readonly string[]): URL {
  if (!URL.canParse(destination) || !/^https?:$/.test(new URL(destination).protocol)) {
    throw usageError('the destination is not an http: or https: URL, such as http://server:8080/report.zip.')
  }
  const url = new URL(destination)
  if (url.pathname.endsWith('/')) url.pathname += names.map(encodeURIComponent).join('/')
  return url
}

/** Does nothing that is sent there leave this machine? */
export const isLocal = ({ hostname }: URL): boolean => /^(?:localhost|127\.[\d.]+|\[::1\])$/.test(hostname)
