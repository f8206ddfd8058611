import { randomBytes } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express, { type RequestHandler } from 'express'
import type { BitsUpload, BitsUploadEvents, SessionInfo, UploadedFile } from 'express-bits-upload'
import { type BitsDashboardOptions, bitsDashboard, type DashboardSource } from 'express-bits-upload/dashboard'
import type { Changes } from '../../lib/dashboard/changes.js'

export interface Message {
  readonly name: string
  readonly data: Omit<Changes, 'gone'> & Partial<Changes>
}

/** The messages of an event stream, until it ends. */
export async function* listen(
  url: string,
  onBytes: (count: number) => void = () => {},
): AsyncGenerator<Message> {
  const response = await fetch(url)
  if (response.status !== 200) throw new Error(`${url} was answered ${response.status}.`)
  let text = ''
  for await (const chunk of response.body ?? new ReadableStream<Uint8Array>()) {
    onBytes(chunk.length)
    text += Buffer.from(chunk).toString('latin1')
    const messages = text.split('\n\n')
    text = messages.pop() ?? ''
    for (const message of messages) {
      const [, name, data] = /^event: (.*)\ndata: (.*)$/.exec(message) ?? []
      if (name && data) yield { name, data: JSON.parse(Buffer.from(data, 'latin1').toString()) }
    }
  }
}

/** The first message that satisfies `holds`. */
export async function until(
  events: AsyncGenerator<Message>,
  holds: (message: Message) => boolean,
): Promise<Message> {
  for (;;) {
    const { value, done } = await events.next()
    if (done) throw new Error('The stream has ended.')
    if (holds(value)) return value
  }
}

export interface RunningDashboard {
  readonly origin: string
  stop(): Promise<void>
}

/** A server with only a dashboard, at `/live`. */
export async function startDashboard(
  bits: BitsUpload | readonly DashboardSource[],
  options: BitsDashboardOptions = {},
  before: RequestHandler[] = [],
): Promise<RunningDashboard> {
  const app = express()
  for (const handler of before) app.use(handler)
  const dashboard = bitsDashboard(bits, options)
  app.use('/live', dashboard)
  const server = createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      dashboard.close()
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

export interface SimulatedBits {
  readonly bits: BitsUpload
  /** Open sessions by upload id. */
  readonly sessions: Map<string, SessionInfo>
  emit<Name extends keyof BitsUploadEvents>(name: Name, ...args: BitsUploadEvents[Name]): void
}

type Listener<Name extends keyof BitsUploadEvents> = (...args: BitsUploadEvents[Name]) => void

/** A `bitsUpload()` with simulated sessions: thousands of real uploads would take all resources of a small machine. */
export function simulateBits(): SimulatedBits {
  const events = new EventEmitter()
  const sessions = new Map<string, SessionInfo>()
  const handler: RequestHandler = (_req, _res, next) => next()
  const bits: BitsUpload = Object.assign(handler, {
    on<Name extends keyof BitsUploadEvents>(name: Name, listener: Listener<Name>) {
      events.on(name, listener)
      return bits
    },
    once<Name extends keyof BitsUploadEvents>(name: Name, listener: Listener<Name>) {
      events.once(name, listener)
      return bits
    },
    off<Name extends keyof BitsUploadEvents>(name: Name, listener: Listener<Name>) {
      events.off(name, listener)
      return bits
    },
    health: async () => ({ storage: 'ok', sessions: 'ok' }),
    sessions: async () => [...sessions.values()],
    cancel: async (uploadId: string) => (sessions.delete(uploadId) ? 'cancelled' : 'not-found'),
    sweep: async () => {},
    close: async () => {},
  })
  return { bits, sessions, emit: (name, ...args) => void events.emit(name, ...args) }
}

/** A session whose last activity was `age` milliseconds ago. */
export function session(
  destination: string,
  fields: Partial<SessionInfo> & { age?: number } = {},
): SessionInfo {
  const { age = 0, ...rest } = fields
  const heard = new Date(Date.now() - age)
  return {
    uploadId: randomBytes(16).toString('hex'),
    destination,
    path: `/uploads/${destination}`,
    state: 'receiving',
    received: 0,
    rate: 0,
    createdAt: heard,
    lastActivity: heard,
    ...rest,
  }
}

/** An `uploaded` event for a new session. */
export const uploaded = (destination: string, size: number): UploadedFile => ({
  destination,
  size,
  session: session(destination),
})
