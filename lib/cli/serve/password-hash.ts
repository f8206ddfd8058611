import { createHash, timingSafeEqual } from 'node:crypto'
import { createRequire } from 'node:module'
import { compare as compareBcrypt } from 'bcryptjs'

// Both are CommonJS functions, one with types that say otherwise, one without.
const require = createRequire(import.meta.url)
const hashApr1: (password: string, hash: string) => string = require('apache-md5')
const hashCrypt: (password: string, hash: string) => string = require('apache-crypt')

interface Format {
  readonly form: RegExp
  /** Takes the same time wherever the difference is. */
  readonly fits: (password: string, hash: string) => boolean | Promise<boolean>
}

/** The formats of Apache's htpasswd that hold a hash (httpd "Password Formats"); plain text is refused. */
const FORMATS: readonly Format[] = [
  { form: /^\$2[aby]\$(?:0[4-9]|[12]\d|3[01])\$[./0-9A-Za-z]{53}$/, fits: compareBcrypt },
  {
    form: /^\$apr1\$[^$]{1,8}\$[./0-9A-Za-z]{22}$/,
    fits: (password, hash) => isEqual(hashApr1(bytesOf(password), hash), hash),
  },
  {
    form: /^\{SHA\}[0-9A-Za-z+/]{27}=$/,
    fits: (password, hash) => isEqual(`{SHA}${createHash('sha1').update(password).digest('base64')}`, hash),
  },
  {
    form: /^[./0-9A-Za-z]{13}$/,
    fits: (password, hash) => isEqual(hashCrypt(bytesOf(password), hash), hash),
  },
]

/** Is this a hash that {@link isPasswordOf} can read? */
export const isPasswordHash = (hash: string): boolean => FORMATS.some(({ form }) => form.test(hash))

/** Is `hash` the hash of this password? */
export async function isPasswordOf(hash: string, password: string): Promise<boolean> {
  const format = FORMATS.find(({ form }) => form.test(hash))
  return format !== undefined && (await format.fits(password, hash))
}

/** UTF-8 with a character for each byte, as the two functions want it. */
const bytesOf = (text: string): string => Buffer.from(text).toString('latin1')

/** Of digests, since `timingSafeEqual` wants equal lengths. */
const isEqual = (one: string, other: string): boolean => timingSafeEqual(digest(one), digest(other))

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
