import { lstat, readdir } from 'node:fs/promises'
import { join, sep } from 'node:path'
import escapeHtml from 'escape-html'
import type { Request, Response } from 'express'
import { escapeControls } from '../../logging/escape-controls.js'
import { ignoreNotFound } from '../../util/errors.js'
import { isHidden } from './hidden-paths.js'

interface Entry {
  /** A directory's ends with `/`. */
  readonly name: string
  /** Bytes; of directories none. */
  readonly size?: number
  readonly modified: Date
}

/**
 * Answers with what is in a directory, as a page or as JSON, whichever the client prefers. Nothing hidden is in it, and
 * no symbolic link.
 *
 * @param name of the directory below the root of all; empty for that one.
 */
export async function sendListing(
  directory: string,
  name: string,
  req: Request,
  res: Response,
): Promise<void> {
  const entries = await entriesOf(directory)
  res.set({
    'Cache-Control': 'no-store',
    'Content-Security-Policy':
      "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    'X-Content-Type-Options': 'nosniff',
    Vary: 'Accept',
  })
  if (req.accepts(['html', 'json']) === 'json') res.json(entries)
  else res.type('html').send(page(name.split(sep).join('/'), entries))
}

async function entriesOf(directory: string): Promise<Entry[]> {
  const found: Entry[] = []
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (isHidden(entry.name) || !(entry.isFile() || entry.isDirectory())) continue
    const facts = await lstat(join(directory, entry.name)).catch(ignoreNotFound)
    if (facts?.isDirectory()) found.push({ name: `${entry.name}/`, modified: facts.mtime })
    else if (facts?.isFile()) found.push({ name: entry.name, size: facts.size, modified: facts.mtime })
  }
  const isFile = ({ size }: Entry) => (size === undefined ? 0 : 1)
  return found.sort((one, other) => isFile(one) - isFile(other) || one.name.localeCompare(other.name))
}

function page(name: string, entries: readonly Entry[]): string {
  const title = escapeHtml(escapeControls(`/${name}`))
  const up = name === '' ? '' : '<tr><td><a href="../">../</a><td><td>'
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>
  body { max-width: 52rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif }
  table { width: 100%; border-collapse: collapse }
  th { text-align: left }
  td { overflow-wrap: anywhere }
  :is(th, td):nth-child(n + 2) { padding-left: 1rem; text-align: right; white-space: nowrap }
</style>
<h1>${title}</h1>
<table>
<thead><tr><th scope="col">Name<th scope="col">Bytes<th scope="col">Changed (UTC)
<tbody>
${up}${entries.map(row).join('\n')}
</table>
</html>
`
}

function row({ name, size, modified }: Entry): string {
  // "./" keeps a name with a colon from being read as a scheme.
  const link = `./${name.split('/').map(encodeURIComponent).join('/')}`
  const time = modified.toISOString().slice(0, 16).replace('T', ' ')
  return `<tr><td><a href="${escapeHtml(link)}">${escapeHtml(escapeControls(name))}</a><td>${size?.toLocaleString('en') ?? ''}<td>${time}`
}
