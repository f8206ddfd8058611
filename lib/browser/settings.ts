import { MAX_CLIENT_FRAGMENT_SIZE, MIN_FRAGMENT_SIZE } from '../protocol/limits.js'
import { defined } from '../util/objects.js'
import type { BrowserUploadOptions } from './options.js'

const DEFAULTS = {
  fragmentSize: 1024 * 1024,
  headers: {},
  credentials: 'same-origin',
  cancelOnAbort: true,
  resume: true,
  followHostId: true,
  retries: 10,
  restarts: 3,
  minRetryDelay: 1000,
  maxRetryDelay: 60_000,
  requestTimeout: 300_000,
} as const

type Optional = 'signal' | 'onProgress' | 'onFailure' | 'storage'
type Options = Pick<BrowserUploadOptions, Optional> & Complete<Omit<BrowserUploadOptions, Optional>>
type Complete<T> = { [Name in keyof T]-?: Exclude<T[Name], undefined> }

/** Options with their defaults, and the destination. */
export interface BrowserSettings extends Readonly<Options> {
  readonly url: URL
}

/** @throws TypeError that names what is wrong. */
export function browserSettingsOf(
  file: Blob,
  destination: string | URL,
  options: BrowserUploadOptions,
): BrowserSettings {
  if (typeof file?.slice !== 'function') throw new TypeError('Pass a File or a Blob.')
  const url = new URL(destination, Reflect.get(globalThis, 'location')?.href)
  // fetch() refuses a URL with a name and password in it.
  if (url.username || url.password) {
    throw new TypeError('Pass credentials in headers, not in the URL.')
  }
  const settings = { ...DEFAULTS, ...defined(options), url }
  const { fragmentSize: size } = settings
  if (!(size >= MIN_FRAGMENT_SIZE && size <= MAX_CLIENT_FRAGMENT_SIZE && size % 1 === 0)) {
    throw new TypeError(
      `fragmentSize is ${size}: use ${MIN_FRAGMENT_SIZE} to ${MAX_CLIENT_FRAGMENT_SIZE} bytes.`,
    )
  }
  return settings
}
