import { usageError } from './output.js'
import { readTextFile } from './read-text-file.js'

export type Header = readonly [name: string, value: string]

/**
 * Reads the headers that a flag sets: `Name: value`, or `@file` with one per line, which keeps a secret out of the
 * process list.
 *
 * @param option the flag, for messages. They never show the header itself: it may be a secret.
 * @throws CliError when one is malformed, or a file cannot be read.
 */
export async function readHeaders(option: string, given: readonly string[]): Promise<Header[]> {
  const headers: Header[] = []
  for (const text of given) {
    const lines = text.startsWith('@') ? await linesOf(option, text.slice(1)) : [text]
    for (const line of lines) {
      const colon = line.indexOf(':')
      const name = line.slice(0, Math.max(colon, 0))
      if (!/^\S+$/.test(name)) throw usageError(`${option}: use "Name: value", or @file with such lines.`)
      headers.push([name, line.slice(colon + 1).trim()])
    }
  }
  return headers
}

async function linesOf(option: string, path: string): Promise<string[]> {
  const text = await readTextFile(option, path)
  const lines = text.split(/\r?\n/)
  const headers = lines.filter((line) => line.trim() !== '' && !line.startsWith('#'))
  if (headers.length === 0) throw usageError(`${option} @${path}: it contains no header.`)
  return headers
}
