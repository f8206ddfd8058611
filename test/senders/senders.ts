import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Agent, request } from 'undici'

export interface OutgoingPacket {
  /** The address of a server on 127.0.0.1. */
  readonly port: number
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Buffer | undefined
}

export interface Answer {
  readonly status: number
  header(name: string): string | undefined
}

/** A common HTTP client. Rejects when the connection breaks. */
export type Send = (packet: OutgoingPacket) => Promise<Answer>

const run = promisify(execFile)
const PYTHON_SCRIPT = fileURLToPath(new URL('http_client.py', import.meta.url))

/** Whether a program of this name is on the PATH. */
export const isOnPath = (program: string): boolean =>
  (process.env.PATH ?? '').split(delimiter).some((directory) => existsSync(join(directory, program)))

/**
 * Starts a curl process for each packet, as a shell script would.
 *
 * @param directory for the bodies.
 * @param args additional arguments for all packets.
 * @param options.length whether packets without a body have `Content-Length: 0`, which `curl -X` does not send.
 * @param options.secure whether to use https, and check that curl used HTTP/2.
 */
export function curl(
  directory: string,
  args: readonly string[],
  { length, secure = false }: { length: boolean; secure?: boolean },
): Send {
  return async ({ port, path, headers, body }) => {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
    const file = join(directory, 'fragment')
    if (body) await writeFile(file, body)
    else if (length) lines.push('Content-Length: 0')
    const { stdout } = await run('curl', [
      ...['--silent', '--show-error', '--max-time', '60', '--noproxy', '*', '--request', 'BITS_POST'],
      ...['--output', '/dev/null', '--dump-header', '-', '--write-out', 'HTTP version %{http_version}'],
      ...lines.flatMap((line) => ['--header', line]),
      ...(body ? ['--data-binary', `@${file}`] : []),
      ...args,
      `${secure ? 'https' : 'http'}://127.0.0.1:${port}${path}`,
    ])
    if (!stdout.endsWith(`HTTP version ${secure ? '2' : '1.1'}`))
      throw new Error(`curl did not use it: ${stdout}`)
    return parseHead(stdout)
  }
}

/** The last of several heads: `100 Continue` may come first. */
function parseHead(output: string): Answer {
  const heads = output.split('\r\n\r\n').filter((head) => head.startsWith('HTTP/'))
  const [status = '', ...lines] = (heads.at(-1) ?? '').split('\r\n')
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
  })
  return answerOf(Number(status.split(' ')[1]), new Map(headers))
}

const answerOf = (status: number, headers: ReadonlyMap<string, string>): Answer => ({
  status,
  header: (name) => headers.get(name.toLowerCase()),
})

/** Node's own `fetch`. */
export const fetchPacket: Send = async ({ port, path, headers, body }) => {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'BITS_POST',
    headers,
    ...(body && { body: new Uint8Array(body) }),
  })
  await response.arrayBuffer()
  return answerOf(response.status, new Map(response.headers))
}

/** The npm package undici, with connections of its own. */
export const undici = (agent: Agent): Send => {
  return async ({ port, path, headers, body }) => {
    const options = { dispatcher: agent, method: 'BITS_POST', headers, body: body ?? null }
    const response = await request(`http://127.0.0.1:${port}${path}`, options)
    await response.body.dump()
    const received = Object.entries(response.headers).map(([name, value]): [string, string] => [
      name,
      String(value),
    ])
    return answerOf(response.statusCode, new Map(received))
  }
}

/** The path of Python itself: `python3` may be a script of a version manager, which takes half a second. */
async function pythonPath(): Promise<string> {
  const { stdout } = await run('python3', ['-c', 'import sys; print(sys.executable)'])
  return stdout.trim()
}

/** Starts a Python process for each packet. */
export function python(directory: string): Send {
  let path: Promise<string> | undefined
  return async ({ body, ...packet }) => {
    const file = join(directory, 'fragment')
    if (body) await writeFile(file, body)
    path ??= pythonPath()
    const child = spawn(await path, [PYTHON_SCRIPT], { stdio: ['pipe', 'pipe', 'pipe'] })
    const exited = once(child, 'exit')
    const [output, errors] = [text(child.stdout), text(child.stderr)]
    child.stdin.end(JSON.stringify({ ...packet, bodyFile: body ? file : null }))
    const [code] = await exited
    if (code !== 0) throw new Error(await errors)
    const { status, headers }: { status: number; headers: Record<string, string> } = JSON.parse(await output)
    return answerOf(
      status,
      new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
    )
  }
}
