// Both packages are CommonJS functions. One comes with types that say otherwise, one without any.

declare module 'apache-md5' {
  /** Hashes with the salt of an existing hash. */
  function hashApr1(password: string, hash: string): string
  export = hashApr1
}

declare module 'apache-crypt' {
  /** Hashes with the salt of an existing hash. */
  function hashCrypt(password: string, hash: string): string
  export = hashCrypt
}
