export type { Awaitable } from '../types/awaitable.js'
export type {
  CompletedUpload,
  NotificationOptions,
  Reply,
  UploadResponse,
} from '../types/delivery.js'
export type { FileDigest } from '../types/digest.js'
export type {
  BitsUploadEvents,
  CancelResult,
  ErrorOrigin,
  SessionInfo,
  UploadedFile,
  UploadRefusal,
} from '../types/events.js'
export type { BitsRequestInfo } from '../types/express.js'
export type { IisBoolean, IisNumber, IisProperties } from '../types/iis.js'
export type { BitsUploadOptions, Logger, RequestSettings } from '../types/options.js'
export type { Ack, ContentRange, Packet, PacketType } from '../types/packets.js'
export type {
  LockOptions,
  ReleaseLock,
  SessionChange,
  SessionRecord,
  SessionState,
  SessionStore,
} from '../types/session.js'
export type {
  ByteRange,
  StagedData,
  StagedUpload,
  StorageAdapter,
  StoredFile,
  StoredReply,
} from '../types/storage.js'
export type { BitsHealth, OperationTarget, OperationTrace, PacketTrace } from '../types/tracing.js'
export { type BitsUpload, bitsUpload } from './bits-upload.js'
export { type BitsHealthOptions, bitsHealth } from './health/bits-health.js'
export { type IisOptions, iisOptions } from './options/iis-options.js'
export {
  BitsError,
  type BitsErrorCode,
  type CustomCondition,
  type ErrorContext,
} from './protocol/bits-error.js'
export { HRESULT } from './protocol/hresult.js'
export { isReservedName } from './protocol/reserved-folder.js'
export { FileSessionStore, type FileSessionStoreOptions } from './session-stores/file-session-store.js'
export { MemorySessionStore } from './session-stores/memory-session-store.js'
export { type Durability, FileStorage, type FileStorageOptions } from './storage/file/file-storage.js'
export { MemoryStorage, type MemoryStorageOptions } from './storage/memory/memory-storage.js'
export { OptionError } from './validation/option-error.js'
export { acceptBitsPost } from './verb/accept-bits-post.js'
