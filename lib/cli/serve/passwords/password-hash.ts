import { createHash, timingSafeEqual } from 'node:crypto'
import hashCrypt from 'apache-crypt'
import hashApr1 from 'apache-md5'
import { compareSync as matchesBcrypt } from 'bcryptjs'

interface Format {
  readonly pattern: RegExp
  /** Compares in constant time. */
  readonly matches: (password: string, hash: string) => boolean
}

/** The formats of Apache's htpasswd that hold a hash (httpd "Password Formats"); plain text is refused. */
const HASH_FORMATS: readonly Format[] = [
  { pattern: /^\$2[aby]\$(?:0[4-9]|[12]\d|3[01])\$[./0-9A-Za-z]{53}$/, matches: matchesBcrypt },
  {
    pattern: /^\$apr1\$[^$]{1,8}\$[./0-9A-Za-z]{22}$/,
    matches: (password, hash) => isSameText(hashApr1(utf8AsLatin1(password), hash), hash),
  },
  {
    pattern: /^\{SHA\}[0-9A-Za-z+/]{27}=$/,
    matches: (password, hash) =>
      isSameText(`{SHA}${createHash('sha1').update(password).digest('base64')}`, hash),
  },
  {
    pattern: /^[./0-9A-Za-z]{13}$/,
    matches: (password, hash) => isSameText(hashCrypt(utf8AsLatin1(password), hash), hash),
  },
]

/** Whether {@link matchesHash} can read this hash. */
export const isPasswordHash = (hash: string): boolean =>
  HASH_FORMATS.some(({ pattern }) => pattern.test(hash))

/** Whether `hash` is the hash of `password`. Blocks for as long as the hash takes, 70 ms for bcrypt with cost 10. */
export function matchesHash(hash: string, password: string): boolean {
  const format = HASH_FORMATS.find(({ pattern }) => pattern.test(hash))
  return format?.matches(password, hash) ?? false
}

/** UTF-8 with one character per byte, as both functions expect it. */
const utf8AsLatin1 = (text: string): string => Buffer.from(text).toString('latin1')

/** Compares digests, since `timingSafeEqual` needs equal lengths. */
const isSameText = (one: string, other: string): boolean =>
  timingSafeEqual(textDigest(one), textDigest(other))

const textDigest = (text: string): Buffer => createHash('sha256').update(text).digest()
