import { type IncomingHttpHeaders, request } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { fragment, openSession, type RawAck, type RawConnection } from '../support/raw.js'

/** Uploads a file as one fragment. @returns the session's id and the fragment's Ack. */
export async function upload(
  connection: RawConnection,
  path: string,
  file: Buffer,
): Promise<{ id: string; ack: RawAck }> {
  const id = await openSession(connection, path)
  return { id, ack: await connection.exchange(fragment(path, id, file)) }
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** Requests a path exactly as given, without normalizing or encoding it. */
export function ask(
  { port }: { port: number },
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, headers, method, agent: false }, (response) => {
      buffer(response).then(
        (body) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        reject,
      )
    })
    asked.once('error', reject).end()
  })
}

/** The path that Windows requests for a reply announced for a destination path (capture MC-BUP 4.2). */
export function replyPath(destination: string, ack: RawAck): string {
  const name = ack.header('BITS-Reply-URL') ?? ''
  const directory = destination.slice(0, destination.lastIndexOf('/') + 1)
  return directory + name.replaceAll('\\', '/').replaceAll('{', '%7B').replaceAll('}', '%7D')
}

export const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))

/** A promise that is settled from outside. */
export function gate(): { opened: Promise<void>; open(): void } {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}
