import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A Markdown document of the repository. */
export interface Document {
  /** Path relative to the repository, with `/` between its parts. */
  readonly file: string
  readonly text: string
}

const ROOT = join(import.meta.dirname, '../..')
const TOP = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md']

/** All documents: those in the root, the pages of `docs/`, and the templates of `.github/`. */
export const DOCUMENTS: readonly Document[] = [
  ...TOP,
  ...markdownIn('docs'),
  ...markdownIn('.github'),
  ...markdownIn('.github/ISSUE_TEMPLATE'),
].map((file) => ({ file, text: readFileSync(join(ROOT, file), 'utf8') }))

export function documentText(file: string): string {
  const found = DOCUMENTS.find((document) => document.file === file)
  if (!found) throw new Error(`There is no document ${file}.`)
  return found.text
}

/** The text of a document without its code blocks. */
export const proseOf = ({ text }: Document): string => text.replace(/^```.*?^```$/gms, '')

/** The headings of a document in order, without the number signs. */
export const headingsOf = (document: Document): string[] =>
  [...proseOf(document).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => heading)

function markdownIn(directory: string): string[] {
  return readdirSync(join(ROOT, directory))
    .filter((name) => name.endsWith('.md'))
    .sort()
    .map((name) => `${directory}/${name}`)
}
