/** Maximum length of a session id in characters (D20); an id issued by this server has 38. */
export const MAX_SESSION_ID = 100

/** Maximum length of a host id in characters (MC-BUP 2.2.3.2). */
export const MAX_HOST_ID = 300

/** Maximum length of the URL of a notification or a reply in characters (MC-BUP 2.2.1.2). */
export const MAX_URL = 2200

/** Smallest fragment size, in bytes, of any Windows client (MC-BUP note 10). */
export const MIN_FRAGMENT_SIZE = 5 * 1024

/** Largest fragment size, in bytes, of Windows clients and of the clients of this package (MC-BUP note 16). */
export const MAX_CLIENT_FRAGMENT_SIZE = 13 * 1024 * 1024

/** Seconds during which a client tries the host id before it returns to the original host (MC-BUP 2.2.3.2). */
export const DEFAULT_HOST_ID_FALLBACK_TIMEOUT = 24 * 60 * 60
