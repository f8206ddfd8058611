import { TextDecoder } from 'node:util'
import { refuseFile } from './refusal.js'

/**
 * Decodes an XML document according to its byte order mark, otherwise its declaration, otherwise as UTF-8 (XML 1.0,
 * 4.3.3).
 */
export async function* decodeXml(source: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let decoder: TextDecoder | undefined
  for await (const chunk of source) {
    decoder ??= decoderFor(xmlEncoding(chunk))
    yield decodeChunk(decoder, chunk)
  }
  if (decoder) yield decodeChunk(decoder)
}

function xmlEncoding(start: Buffer): string {
  if (start[0] === 0xff && start[1] === 0xfe) return 'utf-16le'
  if (start[0] === 0xfe && start[1] === 0xff) return 'utf-16be'
  const [declaration = ''] = start
    .toString('utf8', 0, 200)
    .replace(/^\ufeff/, '')
    .split('>')
  if (!declaration.startsWith('<?xml')) return 'utf-8'
  return /\sencoding\s*=\s*["']([\w.-]+)["']/.exec(declaration)?.[1] ?? 'utf-8'
}

function decoderFor(encoding: string): TextDecoder {
  try {
    return new TextDecoder(encoding, { fatal: true })
  } catch {
    throw refuseFile(`Its encoding ${encoding} is unknown.`)
  }
}

/** Without a chunk, ends the document. */
function decodeChunk(decoder: TextDecoder, chunk?: Buffer): string {
  try {
    return decoder.decode(chunk, { stream: chunk !== undefined })
  } catch {
    throw refuseFile(`It has bytes that are not ${decoder.encoding}.`)
  }
}
