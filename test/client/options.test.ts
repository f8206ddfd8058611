import { describe, expect, test } from '@jest/globals'
import { UploadJob, type UploadOptions, uploadFile } from 'express-bits-upload/client'

const make = (options: UploadOptions, url = 'http://127.0.0.1/x') => new UploadJob('x', url, options)
const state = { sessionId: 'a', offset: 0, size: 10, modified: 1 }

/** Passes options as JavaScript code could, where no compiler checks them. */
const unchecked = (options: unknown) => Reflect.construct(UploadJob, ['x', 'http://127.0.0.1/x', options])

describe('invalid options are refused immediately, by name', () => {
  const bytesWanted = 'use a whole number of bytes, from 5120 to 13631488.'
  const timeWanted = (min: number) => `use a whole number of milliseconds, from ${min} to 2147483647.`
  const stateWanted = 'the option resume is an object: use a state that onState received'
  test.each<[options: unknown, sentence: string]>([
    [{ fragmentSize: 5119 }, `the option fragmentSize is 5119: ${bytesWanted}`],
    [{ fragmentSize: 13_631_489 }, `the option fragmentSize is 13631489: ${bytesWanted}`],
    [{ fragmentSize: '4MB' }, `the option fragmentSize is "4MB": ${bytesWanted}`],
    [{ headers: 'X: y' }, 'the option headers is a string: use an object with strings as values.'],
    [{ headers: new Map() }, 'the option headers is an object of class Map: use an object with strings'],
    [{ userAgent: 7 }, 'the option userAgent is 7: use a string.'],
    [{ agent: 'http://u:p@proxy/' }, 'the option agent is a string: use an Agent of'],
    [{ agent: false }, 'the option agent is false: use an Agent of node:http or node:https.'],
    [{ tls: 'ca.pem' }, 'the option tls is a string: use an object, { ca } for example.'],
    [
      { signal: new AbortController() },
      'the option signal is an object of class AbortController: use an AbortSignal; it lacks addEventListener()',
    ],
    [
      { tls: { rejectUnauthorised: false } },
      'the option tls is an object: use an object, { ca } for example; there is no rejectUnauthorised, there are ca, ',
    ],
    [{ cancelOnAbort: 'no' }, 'the option cancelOnAbort is "no": use true or false.'],
    [{ followHostId: 'no' }, 'the option followHostId is "no": use true or false.'],
    [{ onProgress: true }, 'the option onProgress is true: use a function.'],
    [{ onState: {} }, 'the option onState is an object: use a function.'],
    [{ onFailure: null }, 'the option onFailure is null: use a function.'],
    [
      { retries: -1 },
      'the option retries is -1: use a whole number of failures, from 0 to 2^53 - 1, or Infinity.',
    ],
    [{ retries: Number.NaN }, 'the option retries is NaN: use a whole number of failures'],
    [{ restarts: 0.5 }, 'the option restarts is 0.5: use a whole number of restarts, from 0'],
    [{ minRetryDelay: -1 }, `the option minRetryDelay is -1: ${timeWanted(0)}`],
    [{ maxRetryDelay: Infinity }, `the option maxRetryDelay is Infinity: ${timeWanted(0)}`],
    [{ sendTimeout: 0 }, `the option sendTimeout is 0: ${timeWanted(1)}`],
    [{ responseTimeout: 0 }, `the option responseTimeout is 0: ${timeWanted(1)}`],
    [{ replyTo: '' }, 'the option replyTo is "": use a path.'],
    [{ maxReplySize: -1 }, 'the option maxReplySize is -1: use a whole number of bytes, from 0'],
    [{ resume: JSON.stringify(state) }, 'the option resume is a string: use a state that onState received.'],
    [{ resume: { ...state, sessionId: '' } }, `${stateWanted}; it has no sessionId.`],
    [
      { resume: { ...state, size: '10' } },
      `${stateWanted}; its size is "10": a whole number of bytes, from 0`,
    ],
    [
      { resume: { ...state, offset: 11 } },
      `${stateWanted}; its offset is 11: a whole number of bytes, from 0 to 10.`,
    ],
    [{ resume: { ...state, modified: undefined } }, `${stateWanted}; its modified is undefined: a time in`],
    [{ resume: { ...state, hostId: null } }, `${stateWanted}; its hostId is null: a string, or undefined.`],
    [
      { resume: { ...state, hostIdFallbackTimeout: '60' } },
      `${stateWanted}; its hostIdFallbackTimeout is of type string: a number, or undefined.`,
    ],
    [{ resume: { ...state, replyUrl: {} } }, `${stateWanted}; its replyUrl is of type object: a string`],
    [{ retry: 3 }, 'there is no option "retry": the options are fragmentSize, headers, '],
    [{ useragent: 'x' }, 'there is no option "useragent": did you mean userAgent?'],
    [null, 'the options are null: use an object, or nothing.'],
  ])('%j', (options, sentence) => {
    const construct = () => unchecked(options)
    expect(construct).toThrow(TypeError)
    expect(construct).toThrow(`express-bits-upload/client: ${sentence}`)
  })

  test.each(['bits-session-id', 'Content-Length'])('the header %s', (name) => {
    expect(() => make({ headers: { [name]: '7' } })).toThrow(
      `headers has "${name}", which the protocol itself uses: use other headers.`,
    )
  })

  test('uploadFile() rejects rather than throws', async () => {
    await expect(uploadFile('x', 'http://h/', { retries: -1 })).rejects.toThrow(TypeError)
  })

  test('header values that HTTP cannot carry', () => {
    expect(() => make({ headers: { 'X-A': 'secret\r\nX-B: 1' } })).toThrow(
      /Invalid character in header content \["X-A"\]/,
    )
    expect(() => make({ userAgent: 'a\nb' })).toThrow(/User-Agent/)
  })

  test('the limits themselves are allowed', () => {
    make({ fragmentSize: 5120, retries: 0, restarts: Infinity, minRetryDelay: 0, maxReplySize: 0 })
    make({ fragmentSize: 13_631_488, retries: Infinity, resume: { ...state, offset: 10 } })
    make({ resume: { ...state, hostId: undefined, hostIdFallbackTimeout: 60, replyUrl: '/x' } })
  })
})

describe('invalid destinations are refused without being shown', () => {
  test.each([
    ['http//user:secret@host/', 'The destination is not a URL.'],
    [
      'ftp://user:secret@host/',
      `The destination's scheme is "ftp:"; BITS uploads go to "http:" or "https:".`,
    ],
    ['http://user:secret%ff@host/', 'The user name or password in the URL is not percent-encoded UTF-8.'],
  ])('%s', (url, message) => {
    const construct = () => make({}, url)
    expect(construct).toThrow(message)
    expect(construct).not.toThrow(/secret/)
  })
})
