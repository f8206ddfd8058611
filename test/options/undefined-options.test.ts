import { expect, test } from '@jest/globals'
import type { Request } from 'express'
import {
  BitsError,
  type BitsUploadOptions,
  type CustomCondition,
  FileSessionStore,
  type FileSessionStoreOptions,
  FileStorage,
  type FileStorageOptions,
  type IisProperties,
  iisOptions,
  MemoryStorage,
  type MemoryStorageOptions,
  type NotificationOptions,
} from 'express-bits-upload'
import { UploadJob, type UploadOptions } from 'express-bits-upload/client'
import { type ContractOptions, sessionStoreContract, storageContract } from 'express-bits-upload/testing'
import { createDelivery } from '../../lib/create-service.js'
import { bandwidthLimits } from '../../lib/options/bandwidth.js'
import { readOptions } from '../../lib/options/settings.js'

/**
 * All optional options, each set to `undefined`. The compiler checks that this is allowed under
 * `exactOptionalPropertyTypes`.
 */
type Nothing<Options> = {
  [Name in keyof Options as undefined extends Options[Name] ? Name : never]-?: undefined
}

/** The parts of values that can be compared. */
const plain = (values: object): unknown => JSON.parse(JSON.stringify(values))

test('bitsUpload() has its defaults', () => {
  const options: BitsUploadOptions = {
    storage: undefined,
    directory: undefined,
    sessionStore: undefined,
    maxUploadSize: undefined,
    maxFragmentSize: undefined,
    overwrite: undefined,
    sessionTimeout: undefined,
    maxSessionsPerUser: undefined,
    maxNewSessions: undefined,
    maxBandwidth: undefined,
    enabled: undefined,
    hostId: undefined,
    hostIdFallbackTimeout: undefined,
    cleanupInterval: undefined,
    authorize: undefined,
    user: undefined,
    onUpload: undefined,
    notification: undefined,
    hash: undefined,
    trustSessionId: undefined,
    perRequest: undefined,
    logger: undefined,
    acceptPost: undefined,
    acceptBitsPost: undefined,
  } satisfies Nothing<BitsUploadOptions>
  expect(plain(readOptions(options))).toEqual(plain(readOptions({})))
})

test('maxBandwidth has no limits', () => {
  const { maxBandwidth } = readOptions({ maxBandwidth: { perSession: undefined, total: undefined } })
  expect(bandwidthLimits(maxBandwidth)).toEqual({ perSession: Infinity, total: Infinity })
  expect(bandwidthLimits(undefined)).toEqual({ perSession: Infinity, total: Infinity })
})

test('storages and stores have their defaults', () => {
  const files: FileStorageOptions = {
    directory: 'x',
    ...({
      durability: undefined,
      createDirectories: undefined,
      fileMode: undefined,
      directoryMode: undefined,
    } satisfies Nothing<FileStorageOptions>),
  }
  expect(new FileStorage(files).durability).toBe('publish')
  const sessions: FileSessionStoreOptions = {
    directory: 'x',
    ...({ shared: undefined, durable: undefined } satisfies Nothing<FileSessionStoreOptions>),
  }
  expect(new FileSessionStore(sessions).lock).toBeUndefined()
  const memory: MemoryStorageOptions = { maxBytes: undefined } satisfies Nothing<MemoryStorageOptions>
  expect(new MemoryStorage(memory).bytes).toBe(0)
})

test('the client has its defaults', () => {
  const options: UploadOptions = {
    fragmentSize: undefined,
    headers: undefined,
    digest: undefined,
    authenticate: undefined,
    userAgent: undefined,
    agent: undefined,
    tls: undefined,
    signal: undefined,
    cancelOnAbort: undefined,
    followHostId: undefined,
    resume: undefined,
    onProgress: undefined,
    onState: undefined,
    onFailure: undefined,
    retries: undefined,
    restarts: undefined,
    minRetryDelay: undefined,
    maxRetryDelay: undefined,
    sendTimeout: undefined,
    responseTimeout: undefined,
    replyTo: undefined,
    maxReplySize: undefined,
  } satisfies Nothing<UploadOptions>
  expect(new UploadJob('x', 'http://127.0.0.1/x', options).state).toBeUndefined()
})

test('IIS properties are not set', () => {
  const properties: IisProperties = {
    BITSUploadEnabled: undefined,
    BITSMaximumUploadSize: undefined,
    BITSAllowOverwrites: undefined,
    BITSSessionTimeout: undefined,
    BITSSessionDirectory: undefined,
    BITSServerNotificationType: undefined,
    BITSServerNotificationURL: undefined,
    BITSHostId: undefined,
    BITSHostIdFallbackTimeout: undefined,
    BITSSessionLimitEnable: undefined,
    BITSNumberOfSessionsLimit: undefined,
    BITSCleanupUseDefault: undefined,
    BITSCleanupCount: undefined,
    BITSCleanupUnits: undefined,
    BITSCleanupWorkItemKey: undefined,
    BITSUploadMetadataVersion: undefined,
    MaxBandwidth: undefined,
    MaxConnections: undefined,
  } satisfies Nothing<IisProperties>
  expect(iisOptions(properties)).toEqual({})
})

test('a notification and an error have their defaults', () => {
  const nothing = { timeout: undefined, headers: undefined } satisfies Nothing<NotificationOptions>
  const notification: NotificationOptions = { type: 'by-value', url: '/x', ...nothing }
  expect(createDelivery(readOptions({ notification }), {})).toBeInstanceOf(Function)
  const condition: CustomCondition = {
    status: 404,
    ...({ hresult: undefined, context: undefined, headers: undefined } satisfies Nothing<CustomCondition>),
  }
  expect(new BitsError(condition, 'No.')).toMatchObject({ hresult: 0x80190194, context: 0x5, headers: {} })
})

test("a contract has its default name and uses Node's test runner", () => {
  const listed: string[] = []
  const runner = { describe: (name: string) => listed.push(name), test: () => {} }
  const nothing: ContractOptions = { name: undefined, runner: undefined } satisfies Nothing<ContractOptions>
  storageContract(() => Promise.reject(new Error('not run')), { ...nothing, runner })
  sessionStoreContract(() => Promise.reject(new Error('not run')), { ...nothing, runner })
  expect(listed).toEqual(['the contract of a storage', 'the contract of a session store'])
})

test("functions may still be typed with the app's own request type", () => {
  interface AppRequest extends Request {
    tenant: string
  }
  const options: BitsUploadOptions = {
    authorize: (req: AppRequest) => req.tenant === 'acme',
    user: (req: AppRequest) => req.tenant,
    onUpload: (_upload, req: AppRequest) => req.tenant,
    perRequest: ({ tenant }: AppRequest) => ({ directory: `./${tenant}` }),
  }
  expect(readOptions(options).enabled).toBe(true)
})
