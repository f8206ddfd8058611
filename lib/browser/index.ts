export { BitsClientError, type RemoteContext, type RequestKind } from '../uploader/client-error.js'
export type { UploadFailure, UploadProgress } from '../uploader/upload-types.js'
export type { BrowserUploadOptions, BrowserUploadResult, StateStorage } from './options.js'
export { uploadFile } from './upload-file.js'
