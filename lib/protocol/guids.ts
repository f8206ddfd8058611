/** "BITS 1.5 Upload Protocol", the only version of the protocol (MC-BUP 1.7.1); lower-case, without braces. */
export const BITS_UPLOAD_PROTOCOL = '7df0354d-249b-430f-820d-3d2a9bef4931'

/** Windows servers read the first 100 GUIDs of a list (MC-BUP note 6). */
const MAX_PROTOCOLS = 100

/**
 * Parses `BITS-Supported-Protocols`: GUIDs with or without braces, in any case, most preferred first, separated by
 * spaces or commas (D20).
 * @returns GUIDs, lower-case without braces; at most 100.
 */
export function parseProtocols(value: string): string[] {
  return value
    .split(/[\s,]+/)
    .filter((guid) => guid !== '')
    .slice(0, MAX_PROTOCOLS)
    .map((guid) => guid.replace(/^\{(.*)\}$/, '$1').toLowerCase())
}
