import type { LocalFile } from './local-file.js'
import type { UploadReply } from './reply/upload-reply.js'
import type { Reporter } from './reporter.js'
import type { Patience } from './retry-budget.js'
import type { Settings } from './settings.js'
import type { UploadHost } from './target-host.js'
import type { Line } from './transport/send-request.js'

/** What the parts of one running upload share. */
export interface Tools {
  readonly settings: Settings
  readonly file: LocalFile
  readonly line: Line
  readonly host: UploadHost
  readonly patience: Patience
  readonly reply: UploadReply
  readonly reporter: Reporter
  readonly contentName: string | undefined
}
