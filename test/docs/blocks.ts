import { DOCUMENTS, type Document } from './documents.js'

/** A fenced block of a document. */
export interface Block {
  /** The info string of the opening fence: `js`, `nginx`, ... */
  readonly language: string
  readonly text: string
  readonly file: string
  /** The nearest heading above, as `file#heading`. */
  readonly section: string
  /** Line of the opening fence, counted from 1. */
  readonly line: number
}

export interface BlockQuery {
  /** `docs/options.md`, or `docs/storage.md#FileStorage` with a heading. */
  readonly in?: string
  readonly containing?: string
}

/** All fenced blocks in order. */
export const BLOCKS: readonly Block[] = DOCUMENTS.flatMap(readBlocks)

function readBlocks({ file, text }: Document): Block[] {
  const blocks: Block[] = []
  let heading = ''
  let open: { language: string; line: number; lines: string[] } | undefined
  for (const [index, line] of text.split('\n').entries()) {
    const fence = /^```(\S*)\s*$/.exec(line)
    if (fence && !open) open = { language: fence[1] ?? '', line: index + 1, lines: [] }
    else if (fence && open) {
      const { language, lines } = open
      const section = `${file}#${heading}`
      blocks.push({ language, text: `${lines.join('\n')}\n`, file, section, line: open.line })
      open = undefined
    } else if (open) open.lines.push(line)
    else heading = /^#+ (.*)$/.exec(line)?.[1] ?? heading
  }
  if (open) throw new Error(`${file}: the block at line ${open.line} has no end.`)
  return blocks
}

/** The only block of a language that matches the query. */
export function block(language: string, query: BlockQuery = {}): Block {
  const found = BLOCKS.filter(
    (candidate) =>
      candidate.language === language &&
      (query.in === undefined || [candidate.file, candidate.section].includes(query.in)) &&
      candidate.text.includes(query.containing ?? ''),
  )
  const [only, another] = found
  if (!only || another) {
    throw new Error(`Expected one "${language}" block for ${JSON.stringify(query)}, found ${found.length}.`)
  }
  return only
}
