import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { SaxesParser } from 'saxes'
import { decodeXml } from './decode-xml.js'
import { limitPieces } from './limit-pieces.js'
import { refuseFile } from './refusal.js'

export interface XmlFacts {
  readonly elements: number
  /** Depth of nested elements. */
  readonly depth: number
}

const MAX_DEPTH = 200

/**
 * Documents that declare entities are refused, so none is ever expanded or fetched.
 *
 * @throws BitsError when the document is not well-formed.
 */
export async function readXml(bytes: Readable, signal: AbortSignal): Promise<XmlFacts> {
  const facts = { elements: 0, depth: 0 }
  let depth = 0
  let tags = 0
  const parser = new SaxesParser()
  parser.on('opentag', () => {
    tags += 1
    depth += 1
    facts.elements += 1
    facts.depth = Math.max(facts.depth, depth)
    if (depth > MAX_DEPTH) throw refuseFile(`Its elements are more than ${MAX_DEPTH} deep.`)
  })
  parser.on('closetag', () => {
    tags += 1
    depth -= 1
  })
  parser.on('error', ({ message }) => {
    throw refuseFile(`It is not well-formed, ${message.replace(/^(\d+):(\d+):/, 'line $1, column $2:')}`)
  })

  function limited(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    return limitPieces(source, () => tags)
  }
  async function check(texts: AsyncIterable<string>): Promise<void> {
    for await (const text of texts) parser.write(text)
    parser.close()
  }
  await pipeline(bytes, limited, decodeXml, check, { signal })
  return facts
}
