import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { runScenario } from './run-scenario.js'
import { makeSampleFile, type SampleFile } from './sample-file.js'
import type { RunningServer } from './server.js'
import type { StartableShow } from './show-button.js'
import { showReply } from './show-reply.js'
import { say } from './terminal.js'

/** Milliseconds within which the page has to show an upload. */
const TIMEOUT = 50_000
const SAMPLE_MEBIBYTES = 64

export interface DemonstrationOptions {
  readonly directory: string
  /** `name:password` of the user who uploads. */
  readonly credentials: string
  readonly server: () => RunningServer
  /** Restarts the server on the same port and directory. */
  readonly restart: () => Promise<RunningServer>
  /** Ends the demonstration. */
  readonly signal: AbortSignal
}

/** Uploads that show what BITS recovers from, one at a time. Each removes the files of the previous one. */
export class Demonstration implements StartableShow {
  readonly #options: DemonstrationOptions
  #running: Promise<void> | undefined
  #sample: Promise<SampleFile> | undefined
  #uploaded: readonly string[] = []

  constructor(options: DemonstrationOptions) {
    this.#options = options
  }

  get isRunning(): boolean {
    return this.#running !== undefined
  }

  start(): boolean {
    if (this.isRunning) return false
    say()
    say('The page asks for an upload.')
    this.run().catch((error: unknown) => {
      if (this.#options.signal.aborted) return
      say(`The upload failed: ${error instanceof Error ? error.message : String(error)}`)
    })
    return true
  }

  /** Rejects if a file did not arrive intact. */
  run(): Promise<void> {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  /** Waits for the current upload, and removes all files. */
  async stop(): Promise<void> {
    await this.#running?.catch(() => {})
    await this.#removeUploaded()
    await (await this.#sample)?.remove()
  }

  async #run(): Promise<void> {
    const { credentials, server, restart, signal: stopped } = this.#options
    await this.#removeUploaded()
    this.#sample ??= makeSampleFile(SAMPLE_MEBIBYTES)
    const file = await this.#sample
    const stem = `demo-${new Date().toISOString().replace(/\D/g, '').slice(0, 14)}-${process.pid}`
    const [sample, inventory] = [`${stem}.bin`, `${stem}.csv`]
    this.#uploaded = [sample, inventory]
    const signal = AbortSignal.any([stopped, AbortSignal.timeout(TIMEOUT)])
    await runScenario({ server: server(), restart, file, name: sample, credentials, signal })
    say()
    await showReply({ server: server(), name: inventory, credentials, signal })
  }

  async #removeUploaded(): Promise<void> {
    for (const name of this.#uploaded) await rm(join(this.#options.directory, name), { force: true })
  }
}
