import { maskUserInfo } from '../../../options/notification.js'
import { usageError } from '../../output.js'

/** The variable that may hold the password, as other users of the machine can see a command line. */
const PASSWORD = 'REDIS_PASSWORD'

/** The URL without user name and password, for people to read. */
export const shownRedisUrl = (url: string): string => maskUserInfo(url)

/**
 * Checks a URL of `--redis`, and adds the password of the environment if the URL has none.
 *
 * @throws CliError that does not show the password.
 */
export function redisUrl(text: string, env: NodeJS.ProcessEnv = process.env): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !isRedisUrl(url)) {
    throw usageError(
      `--redis is ${JSON.stringify(shownRedisUrl(text))}: use a URL like redis://host:6379 or rediss://user:password@host:6380/0, ` +
        'with special characters of the password percent-encoded.',
    )
  }
  const password = env[PASSWORD]
  if (url.password === '' && password) url.password = encodeURIComponent(password)
  return url.href
}

const isRedisUrl = ({ protocol, hostname, pathname, username, password }: URL): boolean =>
  /^rediss?:$/.test(protocol) &&
  hostname !== '' &&
  /^(?:\/\d{0,5})?$/.test(pathname) &&
  isDecodable(username) &&
  isDecodable(password)

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}
