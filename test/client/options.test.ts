import { describe, expect, test } from '@jest/globals'
import { UploadJob, type UploadOptions, uploadFile } from 'express-bits-upload/client'

const make = (options: UploadOptions, url = 'http://127.0.0.1/x') => new UploadJob('x', url, options)
const state = { sessionId: 'a', offset: 0, size: 10, modified: 1 }

describe('options that make no sense are refused at once, by name', () => {
  test.each<[UploadOptions, string]>([
    [{ fragmentSize: 5119 }, 'fragmentSize is 5119; give a whole number of 5,120 to 13,631,488.'],
    [{ fragmentSize: 13_631_489 }, 'fragmentSize is 13631489; give a whole number of 5,120 to 13,631,488.'],
    [{ retries: -1 }, 'retries is -1; give a whole number of 0 or more.'],
    [{ retries: Number.NaN }, 'retries is NaN; give a whole number of 0 or more.'],
    [{ restarts: 0.5 }, 'restarts is 0.5; give a whole number of 0 or more.'],
    [{ minRetryDelay: -1 }, 'minRetryDelay is -1; give a whole number of 0 to 2,147,483,647.'],
    [{ maxRetryDelay: Infinity }, 'maxRetryDelay is Infinity; give a whole number of 0 to 2,147,483,647.'],
    [{ sendTimeout: 0 }, 'sendTimeout is 0; give a whole number of 1 to 2,147,483,647.'],
    [{ responseTimeout: 0 }, 'responseTimeout is 0; give a whole number of 1 to 2,147,483,647.'],
    [{ maxReplySize: -1 }, 'maxReplySize is -1; give a whole number of 0 or more.'],
    [{ resume: { ...state, sessionId: '' } }, 'resume has no sessionId; give a state that onState told.'],
    [{ resume: { ...state, offset: 11 } }, 'resume.offset is 11; give a whole number of 0 to 10.'],
    [
      { headers: { 'bits-session-id': 'x' } },
      'headers has "bits-session-id", which the protocol itself uses; leave it out.',
    ],
    [
      { headers: { 'Content-Length': '7' } },
      'headers has "Content-Length", which the protocol itself uses; leave it out.',
    ],
  ])('%j', (options, message) => {
    expect(() => make(options)).toThrow(message)
  })

  test('uploadFile() rejects rather than throws', async () => {
    await expect(uploadFile('x', 'http://h/', { retries: -1 })).rejects.toThrow(RangeError)
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
  })
})

describe('destinations that are none are refused without being shown', () => {
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
