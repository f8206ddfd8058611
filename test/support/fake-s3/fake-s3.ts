import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3'
import { Fault } from './fault.js'
import { Multiparts } from './multiparts.js'
import { Objects } from './objects.js'
import { type Operation, operationOf, perform, type S3Answer } from './operations.js'
import { AWS, type Rules } from './rules.js'
import { element } from './xml.js'

export interface Received {
  readonly operation: Operation
  readonly key: string
  /** Access key of the client. */
  readonly client: string
  readonly bytes: number
  /** The MD5 that the client sent, in base64. */
  readonly md5: string | undefined
  /** The SHA-256 that the client signed, in hexadecimal. */
  readonly sha256: string | undefined
}

/**
 * How a request fails: the connection breaks before the operation, or after it but before the response; no response
 * ever comes, or only its first half; or the service refuses the request.
 */
export type Trouble = 'break' | 'lose-answer' | 'cut-answer' | 'hang' | Fault | undefined

export const BUCKET = 'uploads'

/** A service with the S3 API, over real HTTP in this process. Signatures are not checked. */
export class FakeS3 {
  readonly objects: Objects
  readonly multiparts: Multiparts
  readonly rules: Rules
  /** All requests in order. */
  readonly received: Received[] = []
  /** Number of requests without a response so far. */
  inFlight = 0
  /** Determines how a request fails, if at all. A pending promise delays it. */
  trouble: (request: Received) => Trouble | Promise<Trouble> = () => undefined
  readonly #server: Server
  readonly #clients: S3Client[] = []
  #port = 0

  private constructor(rules: Partial<Rules>) {
    this.rules = { ...AWS, ...rules }
    this.objects = new Objects(this.rules)
    this.multiparts = new Multiparts(this.objects, this.rules)
    // A busy process must not treat connections as idle.
    this.#server = createServer({ keepAliveTimeout: 600_000 }, (req, res) => void this.#serve(req, res))
  }

  static async start(rules: Partial<Rules> = {}): Promise<FakeS3> {
    const fake = new FakeS3(rules)
    fake.#server.listen(0, '127.0.0.1')
    await once(fake.#server, 'listening')
    const address = fake.#server.address()
    fake.#port = typeof address === 'object' && address !== null ? address.port : 0
    return fake
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** @param name its access key. */
  client(name = 'client', config: S3ClientConfig = {}): S3Client {
    const client = new S3Client({
      endpoint: this.endpoint,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId: name, secretAccessKey: 'secret' },
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      ...config,
    })
    this.#clients.push(client)
    return client
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.destroy()
    this.#server.close()
    this.#server.closeAllConnections()
    await once(this.#server, 'close')
  }

  async #serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    this.inFlight++
    res.once('close', () => this.inFlight--)
    req.on('error', () => {})
    try {
      const answer = await this.#answer(req)
      if (!answer) return void req.socket.destroy()
      const { status, headers, body = '', isCut = false } = answer
      res.writeHead(status, { 'Content-Length': Buffer.byteLength(body), ...headers })
      if (!isCut) return void res.end(body)
      res.write(Buffer.from(body).subarray(0, Buffer.byteLength(body) / 2), () => req.socket.destroy())
    } catch (error) {
      if (!(error instanceof Fault)) return void req.socket.destroy()
      const body = element('Error', { Code: error.code, Message: `The fake service answers ${error.code}.` })
      res
        .writeHead(error.status, { 'Content-Type': 'application/xml' })
        .end(req.method === 'HEAD' ? '' : body)
    }
  }

  /** @returns `undefined` when the connection breaks. */
  async #answer(req: IncomingMessage): Promise<(S3Answer & { isCut?: boolean }) | undefined> {
    const url = new URL(req.url ?? '', this.endpoint)
    const [, bucket = '', ...names] = url.pathname.split('/').map(decodeURIComponent)
    const key = names.join('/')
    const { method = '', headers } = req
    const operation = operationOf(method, key, url.searchParams, 'x-amz-copy-source' in headers)
    const body = await bodyOf(req)
    const client = /Credential=([^/]+)\//.exec(headers.authorization ?? '')?.[1] ?? ''
    const received: Received = {
      operation,
      key: key || (url.searchParams.get('prefix') ?? ''),
      client,
      bytes: body.length,
      md5: headers['content-md5']?.toString(),
      sha256: headers['x-amz-content-sha256']?.toString(),
    }
    this.received.push(received)
    const trouble = await this.trouble(received)
    if (trouble instanceof Fault) throw trouble
    if (trouble === 'break') return undefined
    if (trouble === 'hang') await once(req.socket, 'close')
    if (bucket !== BUCKET) throw new Fault(404, 'NoSuchBucket')
    const parts = { name: bucket, objects: this.objects, multiparts: this.multiparts, rules: this.rules }
    const answer = perform(parts, { operation, key, query: url.searchParams, headers, body })
    if (trouble === 'cut-answer') return { ...answer, isCut: true }
    return trouble === 'lose-answer' ? undefined : answer
  }
}

/** Not `buffer()` of Node's stream consumers, which makes a `Blob` first. */
async function bodyOf(req: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  req.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(req, 'end')
  return Buffer.concat(chunks)
}
