import { BitsClientError } from './client-error.js'
import type { UploadFailure, UploadProgress, UploadState } from './upload-types.js'

/** The user's callbacks. */
export interface Listeners {
  onProgress?: ((progress: UploadProgress) => void) | undefined
  onState?: ((state: UploadState) => void) | undefined
  onFailure?: ((failure: UploadFailure) => void) | undefined
}

/** Calls the user's callbacks. One that throws ends the upload: its error is the `cause`. */
export class Reporter {
  readonly #listeners: Listeners

  constructor(listeners: Listeners) {
    this.#listeners = listeners
  }

  progress(progress: UploadProgress): void {
    guard('onProgress', () => this.#listeners.onProgress?.(progress))
  }

  state(state: UploadState): void {
    guard('onState', () => this.#listeners.onState?.(state))
  }

  failure(failure: UploadFailure): void {
    guard('onFailure', () => this.#listeners.onFailure?.(failure))
  }
}

function guard(name: string, call: () => void): void {
  try {
    call()
  } catch (cause) {
    throw new BitsClientError(`${name} threw an error.`, { cause, fatal: true })
  }
}
