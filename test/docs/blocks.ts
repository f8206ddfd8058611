import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A fenced block of the README. */
export interface Block {
  /** What stands after the opening fence: `js`, `nginx`, ... */
  readonly language: string
  readonly text: string
  /** The nearest heading above. */
  readonly heading: string
  /** Line of the opening fence, counted from 1. */
  readonly line: number
}

export const README = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')

/** All fenced blocks, in their order. */
export const BLOCKS: readonly Block[] = readBlocks(README)

function readBlocks(markdown: string): Block[] {
  const blocks: Block[] = []
  let heading = ''
  let open: { language: string; line: number; lines: string[] } | undefined
  for (const [index, line] of markdown.split('\n').entries()) {
    const fence = /^```(\S*)\s*$/.exec(line)
    if (fence && !open) open = { language: fence[1] ?? '', line: index + 1, lines: [] }
    else if (fence && open) {
      blocks.push({ language: open.language, text: `${open.lines.join('\n')}\n`, heading, line: open.line })
      open = undefined
    } else if (open) open.lines.push(line)
    else heading = /^#+ (.*)$/.exec(line)?.[1] ?? heading
  }
  if (open) throw new Error(`README.md: the block at line ${open.line} has no end.`)
  return blocks
}

/** The one block of a language (below a heading, or with some words in it). */
export function block(language: string, where: { heading?: string; containing?: string } = {}): Block {
  const found = BLOCKS.filter(
    (candidate) =>
      candidate.language === language &&
      (where.heading === undefined || candidate.heading === where.heading) &&
      candidate.text.includes(where.containing ?? ''),
  )
  const [only, another] = found
  if (!only || another) {
    throw new Error(
      `README.md: ${found.length} blocks are "${language}" ${JSON.stringify(where)}; one was wanted.`,
    )
  }
  return only
}
