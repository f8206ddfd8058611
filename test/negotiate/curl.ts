import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'

export interface CurlResponse {
  readonly status: number
  /** The value of a header; several are joined by commas. */
  header(name: string): string | undefined
  /** The `Authorization` header of the last request. */
  readonly authorization: string | undefined
  readonly body: string
}

/** Sends a request by curl with the tickets of `env`. @param words arguments in addition to `--negotiate`. */
export async function curl(
  env: Record<string, string>,
  url: string,
  words: readonly string[] = [],
  body?: Buffer,
): Promise<CurlResponse> {
  const data = body ? ['--data-binary', '@-', '-H', 'Content-Type:'] : []
  const child = spawn(
    '/usr/bin/curl',
    ['-sv', '--max-time', '60', '--negotiate', '-u', ':', ...words, ...data, url],
    {
      env,
      stdio: 'pipe',
    },
  )
  child.stdin.end(body)
  const [output, trace] = await Promise.all([text(child.stdout), text(child.stderr)])
  return responseOf(trace, output)
}

/** The last response of a trace by `curl -v`. */
function responseOf(trace: string, body: string): CurlResponse {
  const lines = trace.split(/\r?\n/)
  const start = lines.findLastIndex((line) => /^< HTTP\/1\.1 (?!100)/.test(line))
  if (start < 0) throw new Error(`curl got no response:\n${trace}`)
  const headers = lines.slice(start + 1).flatMap((line) => {
    const [, name = '', value = ''] = /^< ([^:]+): (.*)$/.exec(line) ?? []
    return name === '' ? [] : [[name.toLowerCase(), value] as const]
  })
  const sent = lines.findLast((line) => line.startsWith('> Authorization: '))
  return {
    status: Number(lines[start]?.split(' ')[2]),
    header: (name) => {
      const values = headers.filter(([known]) => known === name.toLowerCase()).map(([, value]) => value)
      return values.length === 0 ? undefined : values.join(', ')
    },
    authorization: sent?.slice('> Authorization: '.length),
    body,
  }
}

/** A value for `Authorization` that has not been sent to any server. */
export async function unusedToken(env: Record<string, string>): Promise<string> {
  const server = createServer((_req, res) => res.writeHead(401, { 'WWW-Authenticate': 'Negotiate' }).end())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  const { authorization } = await curl(
    env,
    `http://localhost:${typeof address === 'object' ? address?.port : ''}/`,
  )
  server.close()
  if (authorization === undefined) throw new Error('curl had no ticket.')
  return authorization
}

/** Sends a packet by curl. @param headers in addition to its type. */
export const curlPacket = (
  env: Record<string, string>,
  url: string,
  type: string,
  headers: Record<string, string> = {},
  body?: Buffer,
): Promise<CurlResponse> =>
  curl(
    env,
    url,
    [
      ...['-X', 'BITS_POST', '-H', `BITS-Packet-Type: ${type}`],
      ...(body ? [] : ['-H', 'Content-Length: 0']),
      ...Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]),
    ],
    body,
  )
