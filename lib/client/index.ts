export { BitsClientError, type RemoteContext, type RequestKind } from './client-error.js'
export type {
  TlsOptions,
  UploadFailure,
  UploadOptions,
  UploadProgress,
  UploadResult,
  UploadState,
} from './options.js'
export { uploadFile } from './upload-file.js'
export { UploadJob } from './upload-job.js'
