import { METHODS } from 'node:http'

/**
 * Node's parser refuses verbs it does not know; it knows BIND (RFC 5842), and skips spaces before the URL. So it can
 * read BIND and six spaces instead of BITS_POST and one space: both have the same length and begin with `BI`.
 */
export const VERB = 'BITS_POST '
export const KNOWN_VERB = 'BIND      '
export const KNOWN_BYTES = Buffer.from(KNOWN_VERB)
/** Length of the common prefix, after which the parser refuses the verb. */
export const COMMON_LENGTH = 'BI'.length

/** Other runtimes with their own `node:http`, by their names in `process.versions`. */
const OTHER_RUNTIMES = { bun: 'Bun', deno: 'Deno' }
const REMEDY =
  'Use Node 20 to 26, or set acceptBitsPost: false and acceptPost: true behind a proxy that converts BITS_POST to POST.'

/**
 * @param methods the verbs that the parser of this runtime knows.
 * @param versions those of the runtime and its parts.
 * @throws Error when this runtime cannot receive BITS_POST.
 */
export function assertBindIsKnown(
  methods: readonly string[] = METHODS,
  versions: Readonly<Record<string, string | undefined>> = process.versions,
): void {
  for (const [name, title] of Object.entries(OTHER_RUNTIMES)) {
    const version = versions[name]
    if (version === undefined) continue
    throw new Error(
      `${title} ${version} cannot receive BITS_POST: its HTTP server answers 400 to verbs it does not know. ${REMEDY}`,
    )
  }
  if (methods.includes('BIND')) return
  throw new Error(
    `Node ${process.version} cannot receive BITS_POST: its HTTP parser does not know the verb BIND (http.METHODS), ` +
      `as which the requests are read. ${REMEDY}`,
  )
}
