import { usageError } from '../output.js'

/**
 * Returns the URL of a file on the server: if `url` ends with a slash, the file's name is added.
 *
 * @param names the file's name, after those of the directories that it keeps.
 * @throws CliError when it is not a URL; the message does not show it, as it may contain a password.
 */
export function destinationUrl(destination: string, names: readonly string[]): URL {
  if (!URL.canParse(destination) || !/^https?:$/.test(new URL(destination).protocol)) {
    throw usageError('the destination is not an http: or https: URL, such as http://server:8080/report.zip.')
  }
  const url = new URL(destination)
  if (url.pathname.endsWith('/')) url.pathname += names.map(encodeURIComponent).join('/')
  return url
}

/** Tells whether the host is this machine, so that nothing crosses a network. */
export const isLocal = ({ hostname }: URL): boolean => /^(?:localhost|127\.[\d.]+|\[::1\])$/.test(hostname)
