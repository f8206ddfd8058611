import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import type { Expression } from './expressions.js'

/** The analyzer's verdict on an expression. */
export interface Analysis {
  readonly status: 'safe' | 'vulnerable' | 'unknown'
  readonly pumps: readonly { readonly prefix: string; readonly pump: string }[]
  readonly suffix: string
}

/** Hand-written strings that could repeat in URLs, headers, names and log lines. */
const REPEATED =
  ' |\t|\n|.|/|%|%25|%2f|%5c|0|9|a|x|\u00e9|\u200b|\u{1f600}|,|=|:|; q=|@|{|[|"|gzip,|0-0,|BITS-Sessions|//'.split(
    '|',
  )
const SUFFIXES = ['x', '\0']

/** Determines for each expression whether some input takes more than linear time. */
export function analyse(expressions: readonly Expression[]): Analysis[] {
  const input = JSON.stringify(expressions)
  const output = execFileSync(process.execPath, [join(import.meta.dirname, 'analyse.mjs')], { input })
  return JSON.parse(output.toString())
}

/**
 * Inputs of a length that are likely to be the worst case of an expression: those of the analysis, and typical text
 * repeated.
 */
export function worstInputs({ pumps, suffix }: Analysis, length: number): string[] {
  const usual = REPEATED.flatMap((part) => SUFFIXES.map((end) => repeated(part, end, length)))
  if (pumps.length === 0) return usual
  const share = Math.floor((length - suffix.length) / pumps.length)
  const attack = pumps.map(({ prefix, pump }) => prefix + repeated(pump, '', share - prefix.length)).join('')
  return [attack + suffix, ...usual]
}

const repeated = (part: string, suffix: string, length: number): string =>
  part.repeat(Math.floor((length - suffix.length) / Math.max(part.length, 1))) + suffix
