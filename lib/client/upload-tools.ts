import type { Line } from './exchange.js'
import type { LocalFile } from './local-file.js'
import type { Patience } from './patience.js'
import type { Reporter } from './reporter.js'
import type { Settings } from './settings.js'
import type { UploadHost } from './upload-host.js'
import type { UploadReply } from './upload-reply.js'

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
