export type { ArrivedUpload, NotificationOptions, Reply, UploadAnswer } from '../types/delivery.js'
export type {
  BitsUploadEvents,
  ErrorOrigin,
  SessionInfo,
  UploadedFile,
} from '../types/events.js'
export type { BitsRequestInfo } from '../types/express.js'
export type { IisBoolean, IisNumber, IisProperties } from '../types/iis.js'
export type { BitsUploadOptions, Logger, RequestSettings } from '../types/options.js'
export type { Ack, ContentRange, Packet, PacketType } from '../types/packets.js'
export type {
  LockOptions,
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
export { type BitsUpload, bitsUpload } from './bits-upload.js'
export {
  BitsError,
  type BitsErrorCode,
  type CustomCondition,
  type ErrorContext,
  HRESULT,
} from './errors.js'
export { acceptBitsPost } from './http/accept-bits-post.js'
export { type IisOptions, iisOptions } from './iis-options.js'
export { FileSessionStore, type FileSessionStoreOptions } from './sessions/file-session-store.js'
export { MemorySessionStore } from './sessions/memory-session-store.js'
export { type Durability, FileStorage, type FileStorageOptions } from './storage/file-storage.js'
export { MemoryStorage, type MemoryStorageOptions } from './storage/memory-storage.js'
