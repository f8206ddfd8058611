import { constants } from 'node:fs'
import { access, open, stat } from 'node:fs/promises'
import { delimiter, isAbsolute, join, resolve } from 'node:path'
import { CliError, EXIT, usageError } from '../../output.js'

/** They need cmd.exe or PowerShell, which would interpret their arguments. */
const NEEDS_SHELL = /\.(?:cmd|bat|ps1)$/i

/** Bytes to read at the start of a file to tell whether the system can run it. */
const HEAD_SIZE = 512

/**
 * Finds the program that `--on-upload` names: a path, or a name that is looked up in `PATH`.
 *
 * @returns its absolute path.
 * @throws CliError when there is none, or it cannot be run without a shell.
 */
export async function findProgram(
  name: string,
  platform = process.platform,
  searchPath = process.env.PATH ?? '',
): Promise<string> {
  if (NEEDS_SHELL.test(name)) {
    throw usageError(
      `--on-upload ${name}: it cannot be run without a shell; use the program that runs it, ` +
        `and --on-upload-argument for the script: --on-upload powershell.exe --on-upload-argument -File ` +
        `--on-upload-argument script.ps1 for example.`,
    )
  }
  const isPath = name.includes('/') || (platform === 'win32' && name.includes('\\'))
  // A relative entry would find programs among the uploads, if the server is started there.
  const directories = searchPath.split(delimiter).filter(isAbsolute)
  const paths = isPath ? [resolve(name)] : directories.map((directory) => join(directory, name))
  const suffixes = platform === 'win32' ? ['', '.exe', '.com'] : ['']
  for (const path of paths.flatMap((one) => suffixes.map((suffix) => one + suffix))) {
    const found = await stat(path).catch(() => undefined)
    if (!found?.isFile()) continue
    await refuseUnrunnable(name, path, platform)
    return path
  }
  const where = isPath ? 'there is no such file' : 'there is no such program in PATH'
  throw new CliError(EXIT.failure, `--on-upload ${name}: ${where}.`)
}

async function refuseUnrunnable(name: string, path: string, platform: NodeJS.Platform): Promise<void> {
  if (platform === 'win32') {
    if (/\.(?:exe|com)$/i.test(path)) return
    throw usageError(`--on-upload ${name}: on Windows, only .exe and .com can be run without a shell.`)
  }
  try {
    await access(path, constants.X_OK)
  } catch (cause) {
    const message = `--on-upload ${name}: it is not executable; allow it with chmod +x.`
    throw new CliError(EXIT.failure, message, { cause })
  }
  const head = await firstBytesOf(path)
  // Executables contain zeros in their first bytes.
  if (head === undefined || head.toString('latin1', 0, 2) === '#!' || head.includes(0)) return
  throw usageError(
    `--on-upload ${name}: it cannot be run without a shell; its first line must name its interpreter, as #!/bin/sh does.`,
  )
}

/** @returns `undefined` for a program that may be run but not read. */
async function firstBytesOf(path: string): Promise<Buffer | undefined> {
  const file = await open(path).catch(() => undefined)
  if (!file) return undefined
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_SIZE), 0, HEAD_SIZE, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}
