import type { UploadState } from '../uploader/upload-types.js'
import type { StateStorage } from './options.js'

/** The state of an upload in the browser's storage: the same file and URL find it again. */
export class StoredUploadState {
  readonly #key: string
  readonly #file: { readonly name: string; readonly size: number; readonly modified: number } | undefined
  readonly #storage: StateStorage | undefined

  /**
   * @param file a Blob without name is never found again.
   * @param storage `undefined` for the browser's own.
   */
  constructor(file: Blob, url: URL, storage: StateStorage | undefined) {
    this.#key = `express-bits-upload ${url.origin}${url.pathname}`
    this.#storage = storage ?? attempt(() => Reflect.get(globalThis, 'localStorage'))
    if (isFile(file)) this.#file = { name: file.name, size: file.size, modified: file.lastModified }
  }

  /** @returns `undefined` when nothing is saved for this file. */
  read(): UploadState | undefined {
    return attempt(() => {
      const { name, ...state } = JSON.parse(this.#storage?.getItem(this.#key) ?? '')
      const file = this.#file
      return name === file?.name && state.size === file?.size && state.modified === file?.modified
        ? state
        : undefined
    })
  }

  write(state: UploadState): void {
    const file = this.#file
    if (file) attempt(() => this.#storage?.setItem(this.#key, JSON.stringify({ ...state, ...file })))
  }

  remove(): void {
    attempt(() => this.#storage?.removeItem(this.#key))
  }
}

/** Not by `instanceof`, which fails for a file from another frame. */
export const isFile = (file: Blob): file is File => 'name' in file

/** If the storage is full or forbidden, the upload cannot be resumed, but still works. */
function attempt<T>(use: () => T): T | undefined {
  try {
    return use()
  } catch {
    return undefined
  }
}
