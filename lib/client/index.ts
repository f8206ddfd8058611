export type { Authenticate, RequestCredentials, RequestToAuthenticate } from '../../types/authenticate.js'
export { BitsClientError, type RemoteContext, type RequestKind } from '../uploader/client-error.js'
export type { UploadFailure, UploadProgress, UploadState } from '../uploader/upload-types.js'
export { OptionError } from '../validation/option-error.js'
export type {
  TlsOptions,
  UploadOptions,
  UploadResult,
} from './options.js'
export { uploadFile } from './upload-file.js'
export { UploadJob } from './upload-job.js'
export type { UploadContent } from './upload-source.js'
