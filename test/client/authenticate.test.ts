import { describe, expect, test } from '@jest/globals'
import { type Authenticate, UploadJob, uploadFile } from 'express-bits-upload/client'
import type { Kerberos } from '../../lib/negotiate/kerberos.js'
import { negotiateClientWith } from '../../lib/negotiate/negotiate-client.js'
import { fixtures } from '../support/fixtures.js'
import { clientError, contentOf, FAST } from '../support/upload-fixture.js'

const { start, directory } = fixtures()
const CONTENT = contentOf(100_000)

/** A server that accepts `Token 1`, `Token 2` and so on, each once, and responds with a proof. */
async function served(options: { proof?: string; reply?: string } = {}) {
  const seen: string[] = []
  const server = await start(
    { directory: await directory(), ...(options.reply && { onUpload: () => ({ reply: options.reply }) }) },
    {
      before: (app) => {
        app.use((req, res, next) => {
          const token = req.get('Authorization') ?? ''
          if (token === '' || seen.includes(token)) {
            res.set('WWW-Authenticate', 'Negotiate').sendStatus(401)
            return
          }
          seen.push(token)
          if (options.proof) res.set('WWW-Authenticate', `Negotiate ${options.proof}`)
          next()
        })
      },
    },
  )
  return { ...server, url: `${server.origin}/uploads/a.bin`, seen }
}

/** Uses a new token for each request. */
function tokens(verify?: (challenge: string | undefined) => void) {
  const hosts: string[] = []
  const authenticate: Authenticate = async ({ url }) => {
    hosts.push(url.host)
    return { authorization: `Token ${hosts.length}`, ...(verify && { verify }) }
  }
  return { authenticate, hosts }
}

test('each request has its own credentials, including the one for the reply', async () => {
  const { url, seen } = await served({ reply: 'thanks' })
  const { authenticate } = tokens()
  const { reply } = await uploadFile(CONTENT, url, { authenticate, fragmentSize: 50_000 })
  expect(reply?.toString()).toBe('thanks')
  // Create-Session, two fragments, the reply, Close-Session.
  expect(seen).toEqual([1, 2, 3, 4, 5].map((serial) => `Token ${serial}`))
})

test('the client waits for credentials that are not available', async () => {
  const { url } = await served()
  const { authenticate } = tokens()
  let calls = 0
  const failures: string[] = []
  const expiring: Authenticate = (request) => {
    calls++
    if (calls === 2 || calls === 3) throw new Error('Ticket expired.')
    return authenticate(request)
  }
  await uploadFile(CONTENT, url, {
    ...FAST,
    authenticate: expiring,
    onFailure: ({ error }) => failures.push(error.message),
  })
  expect(failures).toHaveLength(2)
  expect(failures[0]).toMatch(/^There are no credentials for Fragment to 127\.0\.0\.1:\d+: Ticket expired\.$/)
})

test('the upload fails if the server refuses the credentials', async () => {
  const { url } = await served()
  const authenticate: Authenticate = async () => ({ authorization: 'Token 1' })
  const error = await clientError(uploadFile(CONTENT, url, { ...FAST, authenticate }))
  expect(error).toMatchObject({ fatal: true, status: 401 })
  expect(error.message).toMatch(/does not accept these credentials/)
})

test('the upload fails if the server cannot prove its identity', async () => {
  const { url } = await served({ proof: 'bad' })
  const { authenticate } = tokens((challenge) => {
    if (challenge === 'Negotiate bad') throw new Error('Integrity check failed.')
  })
  const error = await clientError(uploadFile(CONTENT, url, { ...FAST, authenticate }))
  expect(error.fatal).toBe(true)
  expect(error.message).toMatch(/could not prove its identity: Integrity check failed\.$/)
})

test('an abort ends the wait for credentials that never come', async () => {
  const { url } = await served()
  const controller = new AbortController()
  const authenticate: Authenticate = () => {
    controller.abort(new Error('stopped'))
    return new Promise(() => {})
  }
  const upload = uploadFile(CONTENT, url, { authenticate, signal: controller.signal })
  await expect(upload).rejects.toThrow('stopped')
})

test('the wait for credentials is limited by sendTimeout', async () => {
  const { url } = await served()
  const authenticate: Authenticate = () => new Promise(() => {})
  const error = await clientError(uploadFile(CONTENT, url, { authenticate, sendTimeout: 20, retries: 0 }))
  expect(error.message).toMatch(/within 20 ms/)
})

test('without the option authenticate, a 401 names the possible credentials', async () => {
  const { url } = await served()
  const error = await clientError(uploadFile(CONTENT, url))
  expect(error.message).toMatch(/credentials \(Negotiate\): .* or set `authenticate` to negotiateClient\(\)/)
})

test.each([
  ['http://alice:secret@127.0.0.1/a', {}],
  ['http://127.0.0.1/a', { authorization: 'Bearer x' }],
])('two kinds of credentials are refused: %s %j', (url, headers) => {
  const { authenticate } = tokens()
  expect(() => new UploadJob(CONTENT, url, { authenticate, headers })).toThrow(
    /authenticate is set.*one of them/,
  )
})

describe('negotiateClient', () => {
  /** Accepts the proof "right". */
  function fake(failure?: string) {
    const services: string[] = []
    const kerberos: Kerberos = {
      GSS_MECH_OID_SPNEGO: 6,
      initializeServer: () => Promise.reject(new Error('This is the side of the client.')),
      async initializeClient(service) {
        services.push(service)
        const exchange = {
          response: null as string | null,
          contextComplete: false,
          async step(token: string) {
            if (failure) throw new Error(failure)
            if (token === 'wrong') throw new Error('Decrypt integrity check failed')
            if (token === '') exchange.response = 'dG9rZW4='
            else exchange.contextComplete = true
            if (token === 'late') throw new Error('The referenced context has expired')
          },
        }
        return exchange
      },
    }
    return { kerberos, services }
  }
  const url = new URL('http://files.example.test:8080/a')

  test.each<[NodeJS.Platform, object, string]>([
    ['linux', {}, 'HTTP@files.example.test'],
    ['win32', {}, 'HTTP/files.example.test'],
    ['linux', { service: 'HTTP@alias' }, 'HTTP@alias'],
  ])('on %s with %j it asks for a ticket for %s', async (platform, options, service) => {
    const { kerberos, services } = fake()
    const { authorization } = await negotiateClientWith(() => kerberos, options, platform)({ url })
    expect([authorization, services]).toEqual(['Negotiate dG9rZW4=', [service]])
  })

  test('verifies the identity of the server if it sends a token', async () => {
    const authenticate = negotiateClientWith(() => fake().kerberos, {})
    const verify = async (challenge: string | undefined) => (await authenticate({ url })).verify?.(challenge)
    await verify('Negotiate right')
    // The ticket has expired since the request was sent.
    await verify('Negotiate late')
    await verify(undefined)
    await expect(verify('Negotiate wrong')).rejects.toThrow(/integrity/)
  })

  test('requests one ticket at a time, so that a silent domain controller occupies only one thread', async () => {
    let running = 0
    let most = 0
    const kerberos: Kerberos = {
      ...fake().kerberos,
      async initializeClient() {
        most = Math.max(most, ++running)
        await new Promise((resolve) => setImmediate(resolve))
        return { response: 'dG9rZW4=', contextComplete: false, step: async () => void running-- }
      },
    }
    const authenticate = negotiateClientWith(() => kerberos, {})
    await Promise.all([1, 2, 3].map(() => authenticate({ url })))
    expect(most).toBe(1)
  })

  test('says what to do if there is no ticket', async () => {
    const { kerberos } = fake('SPNEGO cannot find mechanisms to negotiate')
    await expect(negotiateClientWith(() => kerberos, {})({ url })).rejects.toThrow(/kinit/)
  })

  test('refuses invalid options', () => {
    expect(() => negotiateClientWith(() => fake().kerberos, { service: 'HTTP' })).toThrow(/'HTTP@host'/)
  })
})
