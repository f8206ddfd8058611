import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Fault } from './fault.js'
import type { Multiparts } from './multiparts.js'
import { md5Of, type Objects, type StoredObject } from './objects.js'
import type { Rules } from './rules.js'
import { element, listOf, textsOf } from './xml.js'

export interface S3Request {
  readonly operation: Operation
  readonly key: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

export interface S3Answer {
  readonly status: number
  readonly headers?: Record<string, string>
  readonly body?: Buffer | string
}

export type Operation = keyof typeof OPERATIONS

/** The bucket that operations work on. */
export interface FakeBucket {
  readonly name: string
  readonly objects: Objects
  readonly multiparts: Multiparts
  readonly rules: Rules
}

type Handler = (bucket: FakeBucket, request: S3Request) => S3Answer

const OPERATIONS = {
  HeadBucket: () => ({ status: 200 }),

  PutObject: ({ objects, rules }, { key, headers, body }) => {
    checkDigests(rules, headers, body)
    objects.checkCondition(rules.put, one(headers['if-none-match']), key)
    return { status: 200, headers: { ETag: objects.put(key, body, kept(headers)).etag } }
  },

  CopyObject: (bucket, { key, headers }) => {
    const { objects, rules } = bucket
    const source = sourceOf(bucket, headers)
    objects.checkCondition(rules.copy, one(headers['if-none-match']), key)
    const replaced = headers['x-amz-metadata-directive'] === 'REPLACE' ? kept(headers) : source.headers
    const { etag, lastModified } = objects.put(key, source.bytes, { ...replaced })
    return {
      status: 200,
      body: element('CopyObjectResult', { ETag: etag, LastModified: lastModified.toISOString() }),
    }
  },

  HeadObject: ({ objects }, { key }) => {
    const { bytes, ...object } = objects.get(key)
    return { status: 200, headers: { ...facts(object), 'Content-Length': String(bytes.length) } }
  },

  GetObject: ({ objects }, { key, headers }) => {
    const object = objects.get(key)
    const ifMatch = headers['if-match']
    if (ifMatch !== undefined && ifMatch !== object.etag) throw new Fault(412, 'PreconditionFailed')
    const range = rangeOf(one(headers.range), object.bytes.length)
    if (!range) return { status: 200, headers: facts(object), body: object.bytes }
    const bytes = object.bytes.subarray(range.start, range.end)
    const contentRange = `bytes ${range.start}-${range.end - 1}/${object.bytes.length}`
    return { status: 206, headers: { ...facts(object), 'Content-Range': contentRange }, body: bytes }
  },

  DeleteObject: ({ objects }, { key }) => {
    objects.delete(key)
    return { status: 204 }
  },

  ListObjectsV2: ({ objects, name }, { query }) => {
    const max = Math.min(1000, Number(query.get('max-keys') ?? 1000))
    const prefix = query.get('prefix') ?? ''
    const page = objects.list(prefix, query.get('continuation-token') ?? '', max + 1)
    const shown = page.slice(0, max)
    return {
      status: 200,
      body: element('ListBucketResult', {
        Name: name,
        IsTruncated: String(page.length > max),
        ...(page.length > max && { NextContinuationToken: shown.at(-1)?.key ?? '' }),
        Contents: shown.map(({ key, lastModified }) => ({
          Key: key,
          LastModified: lastModified.toISOString(),
        })),
      }),
    }
  },

  CreateMultipartUpload: ({ multiparts, name }, { key, headers }) => {
    const UploadId = multiparts.create(key, kept(headers))
    return {
      status: 200,
      body: element('InitiateMultipartUploadResult', { Bucket: name, Key: key, UploadId }),
    }
  },

  UploadPart: ({ multiparts, rules }, { key, query, headers, body }) => {
    checkDigests(rules, headers, body)
    return { status: 200, headers: { ETag: multiparts.put(key, ...partOf(query), body) } }
  },

  UploadPartCopy: (bucket, { key, query, headers }) => {
    if (!bucket.rules.partCopy) throw new Fault(501, 'NotImplemented')
    const { bytes } = sourceOf(bucket, headers)
    const range = rangeOf(one(headers['x-amz-copy-source-range']), bytes.length)
    if (!range || range.end > bytes.length) throw new Fault(400, 'InvalidArgument')
    const isWhole = range.start === 0 && range.end === bytes.length
    const part = isWhole ? bytes : bytes.subarray(range.start, range.end)
    const ETag = bucket.multiparts.put(key, ...partOf(query), part)
    return { status: 200, body: element('CopyPartResult', { ETag, LastModified: new Date().toISOString() }) }
  },

  CompleteMultipartUpload: ({ multiparts, name }, { key, query, headers, body }) => {
    const parts = listOf(body.toString(), 'Part').map((part) => ({
      number: Number(textsOf(part, 'PartNumber')[0]),
      etag: textsOf(part, 'ETag')[0] ?? '',
    }))
    const id = query.get('uploadId') ?? ''
    const ETag = multiparts.complete(key, id, parts, one(headers['if-none-match']))
    return { status: 200, body: element('CompleteMultipartUploadResult', { Bucket: name, Key: key, ETag }) }
  },

  AbortMultipartUpload: ({ multiparts }, { key, query }) => {
    multiparts.abort(key, query.get('uploadId') ?? '')
    return { status: 204 }
  },
} as const satisfies Record<string, Handler>

export const perform = (bucket: FakeBucket, request: S3Request): S3Answer =>
  OPERATIONS[request.operation](bucket, request)

export function operationOf(method: string, key: string, query: URLSearchParams, isCopy: boolean): Operation {
  const isMultipart = query.has('uploadId')
  switch (method) {
    case 'HEAD':
      return key === '' ? 'HeadBucket' : 'HeadObject'
    case 'GET':
      return key === '' ? 'ListObjectsV2' : 'GetObject'
    case 'PUT':
      if (isMultipart) return isCopy ? 'UploadPartCopy' : 'UploadPart'
      return isCopy ? 'CopyObject' : 'PutObject'
    case 'POST':
      return isMultipart ? 'CompleteMultipartUpload' : 'CreateMultipartUpload'
    case 'DELETE':
      return isMultipart ? 'AbortMultipartUpload' : 'DeleteObject'
    default:
      throw new Fault(405, 'MethodNotAllowed')
  }
}

const one = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value[0] : value

const partOf = (query: URLSearchParams): [id: string, number: number] => [
  query.get('uploadId') ?? '',
  Number(query.get('partNumber')),
]

function sourceOf({ objects, name }: FakeBucket, headers: IncomingMessage['headers']): StoredObject {
  const source = decodeURIComponent(one(headers['x-amz-copy-source']) ?? '').replace(/^\//, '')
  if (!source.startsWith(`${name}/`)) throw new Fault(404, 'NoSuchBucket')
  return objects.get(source.slice(name.length + 1))
}

/** The headers that are returned with an object. */
function kept(headers: IncomingMessage['headers']): Record<string, string> {
  const names = Object.keys(headers).filter(
    (name) =>
      name.startsWith('x-amz-meta-') ||
      ['content-type', 'cache-control', 'x-amz-storage-class'].includes(name),
  )
  return Object.fromEntries(names.map((name) => [name, String(headers[name])]))
}

const facts = ({ etag, lastModified, headers }: Omit<StoredObject, 'bytes'>): Record<string, string> => ({
  ...headers,
  ETag: etag,
  'Last-Modified': lastModified.toUTCString(),
})

function rangeOf(range: string | undefined, size: number): { start: number; end: number } | undefined {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? []
  if (first === undefined || last === undefined) return undefined
  if (Number(first) >= size) throw new Fault(416, 'InvalidRange')
  return { start: Number(first), end: Math.min(size, Number(last) + 1) }
}

function checkDigests(rules: Rules, headers: IncomingMessage['headers'], body: Buffer): void {
  const md5 = headers['content-md5']
  if (md5 !== undefined && !md5Of(body).equals(Buffer.from(String(md5), 'base64'))) {
    throw new Fault(400, 'BadDigest')
  }
  if (!rules.verifiesSha256) return
  const sha256 = one(headers['x-amz-content-sha256'])
  if (sha256 && /^[0-9a-f]{64}$/.test(sha256) && createHash('sha256').update(body).digest('hex') !== sha256) {
    throw new Fault(400, 'XAmzContentSHA256Mismatch')
  }
}
