import { InvalidArgumentError } from 'commander'

const UNITS = ['', 'K', 'M', 'G', 'T']
const SECONDS_PER_UNIT = { s: 1, m: 60, h: 3600, d: 86_400 } as const

/** `10GB` and `10GiB` are 10 * 1024^3 bytes, as Windows counts; a plain number is bytes. */
export function size(text: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?) ?([KMGT]?)(?:i?B)?$/i.exec(text) ?? []
  const bytes = Math.round(Number(number) * 1024 ** UNITS.indexOf(unit.toUpperCase()))
  if (number === '' || !Number.isSafeInteger(bytes)) {
    throw new InvalidArgumentError('Use bytes, or a number with KB, MB, GB or TB: 500MB for example.')
  }
  return bytes
}

/** {@link size} of a request's head: enough for BITS clients, and small enough for many connections. */
export function headerSize(text: string): number {
  const bytes = size(text)
  if (bytes < 8192 || bytes > 1_048_576)
    throw new InvalidArgumentError('Use a size from 8KB to 1MB: 64KB for example.')
  return bytes
}

/** {@link size} per second, above 0. */
export function rate(text: string): number {
  const bytes = size(text.replace(/\/s$/, ''))
  if (bytes === 0) throw new InvalidArgumentError('Use a rate above 0, 2MB for example.')
  return bytes
}

/** `90`, `90s`, `15m`, `12h`, `14d`, in seconds. */
export function duration(text: string): number {
  const [, number = '', unit] = /^(\d+(?:\.\d+)?)(s|m|h|d)?$/.exec(text) ?? []
  if (number === '')
    throw new InvalidArgumentError('Use seconds, or a number with s, m, h or d: 12h for example.')
  return (
    Number(number) *
    (unit === 's' || unit === 'm' || unit === 'h' || unit === 'd' ? SECONDS_PER_UNIT[unit] : 1)
  )
}

/** Seconds, as in {@link duration}; above 0, and within the range of Node's timers. */
export function timeout(text: string): number {
  const seconds = duration(text)
  if (seconds === 0 || seconds > 24 * SECONDS_PER_UNIT.d) {
    throw new InvalidArgumentError('Use a time above 0 and of at most 24 days: 5m for example.')
  }
  return seconds
}

/** 0 lets the system choose. */
export function port(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) {
    throw new InvalidArgumentError('Use a port, from 0 (any free one) to 65535.')
  }
  return Number(text)
}

/** A count; `unlimited` where there need not be a limit. */
export function count(text: string): number {
  if (text === 'unlimited') return Number.POSITIVE_INFINITY
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('Use a whole number, or unlimited.')
  return Number(text)
}

/** How many of something may exist at a time. */
export function positiveCount(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new InvalidArgumentError('Use a whole number from 1 to 9999.')
  return Number(text)
}

/** A URL path, with a leading and without a trailing slash. */
export function urlPath(text: string): string {
  const path = `/${text}`.replace(/\/+/g, '/').replace(/(.)\/$/, '$1')
  // Other characters have a meaning in Express's paths.
  if (!/^[\w./~-]+$/.test(path) || path.split('/').some((segment) => /^\.+$/.test(segment))) {
    throw new InvalidArgumentError(
      'Use a path of letters, digits, - . _ ~ and slashes: /uploads for example.',
    )
  }
  return path
}

/** All values of an option that may be repeated. */
export const collect = (value: string, earlier: string[] = []): string[] => [...earlier, value]

/** An address to listen on; an IPv6 address may have brackets, as in a URL. */
export const address = (text: string): string => text.replace(/^\[(.+)\]$/, '$1')
