/** Characters of a session id that are read (D20); an id issued here has 38. */
export const MAX_SESSION_ID = 100

/** Characters of a host id (MC-BUP 2.2.3.2). */
export const MAX_HOST_ID = 300

/** Characters of the URL of a notification or a reply (MC-BUP 2.2.1.2). */
export const MAX_URL = 2200

/** Bytes: no Windows client sends smaller fragments than this (MC-BUP note 10). */
export const MIN_FRAGMENT_SIZE = 5 * 1024

/** Seconds for which a client tries the host id before it returns to the original host (MC-BUP 2.2.3.2). */
export const DEFAULT_HOST_ID_FALLBACK_TIMEOUT = 24 * 60 * 60
