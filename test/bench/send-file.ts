import { type Answer, type Connection, headerOf } from './connection.js'

/** Sends one file over a connection. Rejects when the server does not accept it. */
export type SendFile = (connection: Connection, name: string, content: Buffer) => Promise<void>

const BITS_UPLOAD_PROTOCOL = '{7df0354d-249b-430f-820d-3d2a9bef4931}'

/** Sends a file in one PUT. */
export const put: SendFile = async (connection, name, content) => {
  expectSuccess(await connection.request(`PUT /${name}`, {}, content))
}

/** Sends a file as a tus upload: creates an empty one, then sends the bytes. */
export const tusUpload: SendFile = async (connection, name, content) => {
  const version = { 'Tus-Resumable': '1.0.0' }
  const metadata = `name ${Buffer.from(name).toString('base64')}`
  const creation = { ...version, 'Upload-Length': String(content.length), 'Upload-Metadata': metadata }
  expectSuccess(await connection.request('POST /', creation, Buffer.alloc(0)))
  const bytes = { ...version, 'Upload-Offset': '0', 'Content-Type': 'application/offset+octet-stream' }
  expectSuccess(await connection.request(`PATCH /${name}`, bytes, content))
}

/** @returns the id of the new session. */
export async function createSession(connection: Connection, name: string): Promise<string> {
  const headers = { 'BITS-Packet-Type': 'Create-Session', 'BITS-Supported-Protocols': BITS_UPLOAD_PROTOCOL }
  const { head } = expectSuccess(await connection.request(`BITS_POST /${name}`, headers, Buffer.alloc(0)))
  return headerOf(head, 'BITS-Session-Id') ?? ''
}

/** Sends a file as a BITS upload: Create-Session, its fragments, Close-Session. */
export const bitsUploadIn =
  (fragmentSize: number): SendFile =>
  async (connection, name, content) => {
    const packet = (type: string, headers: Record<string, string>, body?: Buffer) =>
      connection.request(`BITS_POST /${name}`, { 'BITS-Packet-Type': type, ...headers }, body)

    const session = { 'BITS-Session-Id': await createSession(connection, name) }
    for (let first = 0; first < content.length; first += fragmentSize) {
      const body = content.subarray(first, first + fragmentSize)
      const range = `bytes ${first}-${first + body.length - 1}/${content.length}`
      const { head } = expectSuccess(
        await packet('Fragment', { ...session, 'Content-Range': range, 'Content-Name': name }, body),
      )
      const received = headerOf(head, 'BITS-Received-Content-Range')
      if (received !== String(first + body.length)) {
        throw new Error(`The server holds ${received} bytes after ${range} of ${name}.`)
      }
    }
    expectSuccess(await packet('Close-Session', session, Buffer.alloc(0)))
  }

function expectSuccess(answer: Answer): Answer {
  if (answer.status >= 300) throw new Error(`The server answered: ${answer.head}`)
  return answer
}
