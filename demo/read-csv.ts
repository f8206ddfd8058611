import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { CsvError, parse } from 'csv-parse'
import { limitPieces } from './limit-pieces.js'
import { refuseFile } from './refusal.js'

export interface CsvFacts {
  /** Not counting the header. */
  readonly rows: number
  /** From the header. */
  readonly columns: number
  /** Rows that have more or fewer columns than the header. */
  readonly unevenRows: number
}

/** @throws BitsError when the input is not CSV. */
export async function readCsv(bytes: Readable, signal: AbortSignal): Promise<CsvFacts> {
  const facts = { rows: 0, columns: 0, unevenRows: 0 }
  const parser = parse({ bom: true, relax_column_count: true, relax_quotes: true, skip_empty_lines: true })

  function limited(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    return limitPieces(source, () => parser.info.records)
  }
  async function count(records: AsyncIterable<string[]>): Promise<void> {
    for await (const record of records) {
      if (facts.columns === 0) {
        if (!isTypeLine(record)) facts.columns = record.length
        continue
      }
      facts.rows += 1
      if (record.length !== facts.columns) facts.unevenRows += 1
    }
  }
  try {
    await pipeline(bytes, limited, parser, count, { signal })
  } catch (error) {
    throw error instanceof CsvError ? refuseFile(`It is not CSV: ${error.message}`) : error
  }
  return facts
}

/** `Export-Csv` of Windows PowerShell 5 writes the type of the objects first. */
const isTypeLine = ([field, ...others]: string[]): boolean =>
  others.length === 0 && field !== undefined && field.startsWith('#TYPE ')
