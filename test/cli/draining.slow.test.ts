import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { expect, test } from '@jest/globals'
import express, { type Response } from 'express'
import { Draining } from '../../lib/cli/serve/graceful-shutdown.js'
import { Authority } from '../support/certificates.js'
import { fixtures } from '../support/fixtures.js'

const { connect, directory, afterwards } = fixtures()

/** A server that keeps connections open forever, and passes each response to the test. */
async function serving(draining: Draining): Promise<{ server: Server; port: number; answers: Response[] }> {
  const answers: Response[] = []
  const app = express().use(draining.middleware, (_req, res) => void answers.push(res))
  const server = createServer(app)
  server.keepAliveTimeout = 0
  draining.watch(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  afterwards(() => server.closeAllConnections())
  return { server, port: (server.address() as AddressInfo).port, answers }
}

test('a connection whose response has already begun closes after it, and then the server stops', async () => {
  const draining = new Draining()
  const { server, port, answers } = await serving(draining)
  const connection = await connect({ port })
  connection.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  while (answers.length === 0) await new Promise(setImmediate)
  const [res] = answers
  res?.set('Content-Length', '5').write('hel')
  const stopped = draining.stop(server, 3600)
  res?.end('lo')
  const answer = await connection.ack()
  expect([answer.status, answer.body.toString()]).toEqual([200, 'hello'])
  // Its head has been sent, so it cannot announce that the connection will close.
  expect(answer.header('Connection')).not.toBe('close')
  await connection.closed()
  expect(await stopped).toBe(0)
})

test('a silent connection to a TLS server does not keep it from stopping', async () => {
  const { cert, key } = await (await Authority.create(await directory())).issue('server')
  const server = createTlsServer({ cert, key })
  const draining = new Draining()
  draining.watch(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection')
  const connection = await connect({ port: (server.address() as AddressInfo).port })
  await accepted
  expect(await draining.stop(server, 3600)).toBe(0)
  await connection.closed()
})
