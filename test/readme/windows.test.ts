import { describe, expect, test } from '@jest/globals'
import { BLOCKS, type Block } from './blocks.js'

/** Parameters by cmdlet, from Microsoft's reference of the module BitsTransfer. */
const CMDLETS: Readonly<Record<string, readonly string[]>> = {
  'Start-BitsTransfer': [
    'TransferType',
    'Source',
    'Destination',
    'Authentication',
    'Credential',
    'Asynchronous',
    'RetryInterval',
  ],
  'Get-BitsTransfer': ['JobId', 'Name', 'AllUsers'],
  'Complete-BitsTransfer': ['BitsJob'],
  'Get-Credential': [],
}
/** Numbers of arguments behind each switch, from Microsoft's reference of bitsadmin. */
const SWITCHES: Readonly<Record<string, number>> = {
  '/create': 1,
  '/upload': 1,
  '/addfile': 3,
  '/setcredentials': 5,
  '/resume': 1,
  '/info': 1,
  '/verbose': 0,
  '/complete': 1,
  '/transfer': 1,
  '/priority': 1,
}

const lines = (language: string): [heading: string, line: string][] =>
  BLOCKS.filter((block: Block) => block.language === language).flatMap(({ heading, text }) =>
    text
      .trimEnd()
      .split('\n')
      .map((line): [string, string] => [heading, line]),
  )

describe('lines for Windows, which cannot be run here: spelling only', () => {
  test.each(lines('powershell'))('PowerShell, %s: %s', (_heading, line) => {
    expect(balanced(line)).toBe(true)
    const commands = [...line.matchAll(/\b[A-Z][a-z]+-[A-Z]\w+/g)].map(([name]) => name)
    expect(commands.length).toBeGreaterThan(0)
    expect(Object.keys(CMDLETS)).toEqual(expect.arrayContaining(commands))
    const known = commands.flatMap((name) => CMDLETS[name] ?? [])
    const parameters = [...line.matchAll(/(?<=\s)-([A-Za-z]+)/g)].map(([, name]) => name)
    expect(known).toEqual(expect.arrayContaining(parameters))
  })

  test.each(lines('bat'))('bitsadmin, %s: %s', (_heading, line) => {
    expect(balanced(line)).toBe(true)
    const [program, ...words] = line.split(' ')
    expect(program).toBe('bitsadmin')
    let expected = 0
    for (const word of words.filter((word) => word.startsWith('/'))) {
      expect(Object.keys(SWITCHES)).toContain(word)
      expected += SWITCHES[word] ?? 0
    }
    // `/upload` names a type: it takes a name behind `/create`, and none behind `/transfer`, whose two files come last.
    if (line.includes('/create /upload')) expected -= 1
    if (line.includes('/transfer')) expected += 1
    expect(words.filter((word) => !word.startsWith('/'))).toHaveLength(expected)
  })

  test('there are some of both', () => {
    expect(lines('powershell').length).toBeGreaterThan(2)
    expect(lines('bat').length).toBeGreaterThan(5)
  })
})

function balanced(line: string): boolean {
  const quotes = line.split('"').length % 2 === 1 && line.split("'").length % 2 === 1
  return quotes && line.split('(').length === line.split(')').length
}
