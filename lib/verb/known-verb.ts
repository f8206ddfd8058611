import { METHODS } from 'node:http'

/**
 * Node's parser refuses verbs it does not know; it knows BIND (RFC 5842), and skips spaces before the URL. So it can read
 * BIND and six spaces where the client sent BITS_POST and one: both have the same length and begin with `BI`.
 */
export const VERB = 'BITS_POST '
export const KNOWN_VERB = 'BIND      '
/** Length of what the two have in common, at whose end the parser refuses the verb. */
export const COMMON = 'BI'.length

/** @throws Error when `methods`, the verbs that Node's parser knows, has no BIND. */
export function assertBindIsKnown(methods: readonly string[] = METHODS): void {
  if (methods.includes('BIND')) return
  throw new Error(
    `Node ${process.version} cannot receive BITS_POST: its HTTP parser does not know the verb BIND (http.METHODS), ` +
      'as which the requests are read. Use Node 20 to 26, or set acceptBitsPost: false and acceptPost: true ' +
      'behind a proxy that turns BITS_POST into POST.',
  )
}
