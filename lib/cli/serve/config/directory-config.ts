import type { ServeFlags } from '../flags.js'

/** One of the directories to serve. */
export interface DirectoryConfig {
  /** Starts messages about it, when there may be several. */
  readonly label?: string | undefined
  /** Its path; absent when the files go to S3. */
  readonly directory?: string
  /** All options, with the values for this directory. */
  readonly flags: ServeFlags
}
