export { OptionError } from '../validation/option-error.js'
export type {
  TlsOptions,
  UploadFailure,
  UploadOptions,
  UploadProgress,
  UploadResult,
  UploadState,
} from './options.js'
export { BitsClientError, type RemoteContext, type RequestKind } from './transport/client-error.js'
export { uploadFile } from './upload-file.js'
export { UploadJob } from './upload-job.js'
export type { UploadContent } from './upload-source.js'
