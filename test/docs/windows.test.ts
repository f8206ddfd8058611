import { describe, expect, test } from '@jest/globals'
import { BLOCKS } from './blocks.js'

/** Parameters by cmdlet, from Microsoft's references of PowerShell's modules. */
const CMDLETS: Readonly<Record<string, readonly string[]>> = {
  'Start-BitsTransfer': [
    'TransferType',
    'Source',
    'Destination',
    'Authentication',
    'Credential',
    'Asynchronous',
    'RetryInterval',
    'CustomHeaders',
  ],
  'Get-BitsTransfer': ['JobId', 'Name', 'AllUsers'],
  'Complete-BitsTransfer': ['BitsJob'],
  'Get-Credential': [],
  'Start-Sleep': ['Seconds'],
  'Get-Content': [],
  'ConvertTo-Json': [],
  'Set-Content': ['Encoding'],
}
/** Comparison operators. */
const OPERATORS = ['ne', 'eq']
/** Numbers of arguments behind each switch, from Microsoft's reference of bitsadmin. */
const SWITCHES: Readonly<Record<string, number>> = {
  '/create': 1,
  '/upload': 1,
  '/upload-reply': 1,
  '/addfile': 3,
  '/setcredentials': 5,
  '/setclientcertificatebyname': 4,
  '/setreplyfilename': 2,
  '/getreplyfilename': 1,
  '/getreplyprogress': 1,
  '/getreplydata': 1,
  '/getstate': 1,
  '/geterror': 1,
  '/rawreturn': 0,
  '/resume': 1,
  '/info': 1,
  '/verbose': 0,
  '/complete': 1,
  '/transfer': 1,
  '/priority': 1,
}

const blocks = (language: string) =>
  BLOCKS.filter((block) => block.language === language).map(({ section, text }) => [section, text] as const)
const lines = (language: string) =>
  blocks(language).flatMap(([section, text]) =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => [section, line] as const),
  )

describe('commands for Windows, which cannot be run here: spelling only', () => {
  test.each(blocks('powershell'))('PowerShell, %s: %s', (_section, text) => {
    expect(balanced(text)).toBe(true)
    const withoutStrings = text.replace(/'[^']*'|"[^"]*"/g, "''")
    const commands = [...withoutStrings.matchAll(/\b[A-Z][a-z]+-[A-Z]\w+/g)].map(([name]) => name)
    expect(commands.length).toBeGreaterThan(0)
    expect(Object.keys(CMDLETS)).toEqual(expect.arrayContaining(commands))
    const known = [...commands.flatMap((name) => CMDLETS[name] ?? []), ...OPERATORS]
    const parameters = [...withoutStrings.matchAll(/(?<=\s)-([A-Za-z]+)/g)].map(([, name]) => name)
    expect(known).toEqual(expect.arrayContaining(parameters))
    for (const [command] of withoutStrings.matchAll(/\bbitsadmin [^)\n]*/g)) checkBitsadmin(command)
  })

  test.each(lines('bat'))('command prompt, %s: %s', (_section, line) => {
    expect(balanced(line)).toBe(true)
    // From Microsoft's "Getting Started with AppCmd.exe".
    if (/^%windir%\\system32\\inetsrv\\appcmd list (vdirs|config -section:[\w.]+\/\w+)$/.test(line)) return
    checkBitsadmin(line)
  })

  test('both kinds exist', () => {
    expect(blocks('powershell').length).toBeGreaterThan(4)
    expect(lines('bat').length).toBeGreaterThan(15)
  })
})

function checkBitsadmin(command: string): void {
  const [program, ...words] = command.trim().split(/\s+/)
  expect(program).toBe('bitsadmin')
  let expected = 0
  for (const word of words.filter((word) => word.startsWith('/'))) {
    expect(Object.keys(SWITCHES)).toContain(word)
    expected += SWITCHES[word] ?? 0
  }
  // `/upload` is a type: after `/create` a name follows, after `/transfer` two files.
  if (/\/create \/upload/.test(command)) expected -= 1
  if (command.includes('/transfer')) expected += 1
  expect(words.filter((word) => !word.startsWith('/'))).toHaveLength(expected)
}

function balanced(text: string): boolean {
  const quotes = text.split('"').length % 2 === 1 && text.split("'").length % 2 === 1
  return (
    quotes && ['()', '{}', '[]'].every(([open = '', close = '']) => count(text, open) === count(text, close))
  )
}

const count = (text: string, character: string): number => text.split(character).length
