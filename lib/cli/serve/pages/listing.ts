import { lstat, readdir } from 'node:fs/promises'
import { join, sep } from 'node:path'
import escapeHtml from 'escape-html'
import type { Request, Response } from 'express'
import { escapeControls } from '../../../logging/escape-controls.js'
import { ignoreNotFound } from '../../../util/errors.js'
import { isHidden } from '../hidden-paths.js'
import { type Page, sendPage } from './layout.js'

interface ListedEntry {
  /** A directory's ends with `/`. */
  readonly name: string
  /** In bytes; absent for directories. */
  readonly size?: number
  readonly modified: Date
}

export interface Listing {
  readonly directory: string
  /** Of the directory below the root; empty for the root. */
  readonly name: string
  /** The page of uploads in progress, for a link. */
  readonly livePath: string | undefined
}

/**
 * Answers with the contents of a directory, as a page or as JSON, whichever the client prefers. Hidden files and
 * symbolic links are left out.
 */
export async function sendListing(listing: Listing, req: Request, res: Response): Promise<void> {
  const entries = await listedEntries(listing.directory)
  if (req.accepts(['html', 'json']) !== 'json') return sendPage(res, page(listing, entries))
  res.set({ 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff', Vary: 'Accept' }).json(entries)
}

async function listedEntries(directory: string): Promise<ListedEntry[]> {
  const found: ListedEntry[] = []
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (isHidden(entry.name) || !(entry.isFile() || entry.isDirectory())) continue
    const facts = await lstat(join(directory, entry.name)).catch(ignoreNotFound)
    if (facts?.isDirectory()) found.push({ name: `${entry.name}/`, modified: facts.mtime })
    else if (facts?.isFile()) found.push({ name: entry.name, size: facts.size, modified: facts.mtime })
  }
  const isFile = ({ size }: ListedEntry) => (size === undefined ? 0 : 1)
  return found.sort((one, other) => isFile(one) - isFile(other) || one.name.localeCompare(other.name))
}

function page({ name, livePath }: Listing, entries: readonly ListedEntry[]): Page {
  const up = name === '' ? '' : '<tr><td><a href="../">../</a><td><td>'
  const live = livePath === undefined ? '' : `<p><a href="${livePath}/">Uploads in progress</a></p>\n`
  return {
    title: escapeControls(`/${name.split(sep).join('/')}`),
    body: `${live}<table>
<thead><tr><th scope="col">Name<th scope="col" class="number">Bytes<th scope="col" class="number">Modified (UTC)
<tbody>
${up}${entries.map(row).join('\n')}
</table>`,
  }
}

function row({ name, size, modified }: ListedEntry): string {
  // "./" keeps a name with a colon from being read as a scheme.
  const link = `./${name.split('/').map(encodeURIComponent).join('/')}`
  const [day, time] = modified.toISOString().slice(0, 16).split('T')
  const bytes = size?.toLocaleString('en') ?? ''
  return `<tr><td class="name"><a href="${escapeHtml(link)}">${escapeHtml(escapeControls(name))}</a><td class="number">${bytes}<td class="number"><span>${day}</span> ${time}`
}
