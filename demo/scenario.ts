import type { SampleFile } from './sample-file.js'
import type { RunningServer } from './server.js'

/** What an upload of the demo needs. */
export interface Scenario {
  readonly server: RunningServer
  /** Restarts the server on the same port and directory. */
  restart(): Promise<RunningServer>
  readonly file: SampleFile
  /** The file's name below `/uploads`. */
  readonly name: string
  /** `name:password` of the user who uploads. */
  readonly credentials: string
  readonly signal: AbortSignal
}
