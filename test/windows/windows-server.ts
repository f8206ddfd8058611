import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { BitsUploadOptions, FileStorageOptions } from 'express-bits-upload'
import { WindowsProgram } from './windows-program.js'
import { localPath, prepareWindows, windowsPath } from './wine.js'

const SCRIPT = windowsPath(join(import.meta.dirname, 'programs', 'upload-server.mjs'))

/** Milliseconds. The first run on a machine downloads Node and creates a Windows. */
export const SETUP_TIMEOUT = 400_000

/** Options of a `bitsUpload()` in the server, as far as JSON supports them. */
interface Mount extends Pick<BitsUploadOptions, 'overwrite'> {
  readonly directory: string
  /** Options of its `FileStorage`. */
  readonly files?: Omit<FileStorageOptions, 'directory'>
  /** An option of its `FileSessionStore`. */
  readonly shared?: boolean
  /** Send a reply to each upload that contains its destination and path. */
  readonly reply?: boolean
}

/** By path: `/uploads`, ... */
type Mounts = Readonly<Record<string, Mount>>

/** An upload server that is a Windows program. */
export class WindowsServer {
  readonly port: number
  readonly program: WindowsProgram

  private constructor(program: WindowsProgram, port: number) {
    this.program = program
    this.port = port
  }

  /** @param port 0 for a free port. */
  static async start(mounts: Mounts, port = 0): Promise<WindowsServer> {
    const program = new WindowsProgram(SCRIPT, [JSON.stringify({ port, mounts })])
    const [, actual] = await program.until('stdout', /^port (\d+)\r?\n/)
    return new WindowsServer(program, Number(actual))
  }

  /** Unexpected errors in its log. */
  get errors(): string[] {
    return this.program.stderr.split('\n').filter((line) => line.startsWith('error'))
  }

  /** Opens a file in the server so that no other program can. @returns `locked`, or the code of the error. */
  lock(path: string): Promise<string> {
    return this.#get(`/lock?path=${encodeURIComponent(path)}`)
  }

  unlock(path: string): Promise<string> {
    return this.#get(`/unlock?path=${encodeURIComponent(path)}`)
  }

  kill(): Promise<void> {
    return this.program.kill()
  }

  dispose(): Promise<void> {
    return this.program.dispose()
  }

  async #get(path: string): Promise<string> {
    return (await fetch(`http://127.0.0.1:${this.port}${path}`)).text()
  }
}

/** Prepares Windows with these directories on `C:`, empty. @returns their paths on this machine. */
export async function windowsDirectories(...paths: string[]): Promise<string[]> {
  await prepareWindows()
  const directories = paths.map(localPath)
  for (const directory of directories) {
    await rm(directory, { recursive: true, force: true })
    await mkdir(directory)
  }
  return directories
}
