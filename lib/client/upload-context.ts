import type { UploadReply } from './reply/upload-reply.js'
import type { Reporter } from './reporter.js'
import type { RetryBudget } from './retry-budget.js'
import type { ClientSettings } from './settings.js'
import type { UploadHost } from './target-host.js'
import type { RequestOptions } from './transport/send-request.js'
import type { UploadSource } from './upload-source.js'

/** What the parts of one running upload share. */
export interface UploadContext {
  readonly settings: ClientSettings
  readonly file: UploadSource
  readonly line: RequestOptions
  readonly host: UploadHost
  readonly retryBudget: RetryBudget
  readonly reply: UploadReply
  readonly reporter: Reporter
  readonly contentName: string | undefined
}
