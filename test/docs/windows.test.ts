import { describe, expect, test } from '@jest/globals'
import { BLOCKS } from './blocks.js'

/** Parameters by cmdlet, from Microsoft's reference of PowerShell modules. */
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
  'Export-PfxCertificate': ['Cert', 'FilePath', 'Password', 'CryptoAlgorithmOption'],
  'New-Item': ['ItemType'],
  'New-NetFirewallRule': ['DisplayName', 'Direction', 'Protocol', 'LocalPort', 'Action', 'Profile'],
  'Read-Host': ['AsSecureString'],
  'Set-Location': [],
  'Start-Service': [],
  'Stop-Service': [],
  'Get-Credential': [],
  'Start-Sleep': ['Seconds'],
  'Get-Content': [],
  'ConvertTo-Json': [],
  'Set-Content': ['Encoding'],
}
const OPERATORS = ['ne', 'eq']
/** Number of arguments of each switch, from Microsoft's reference of bitsadmin. */
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

const ACCESS = String.raw`(?:"NT SERVICE\\[\w-]+:\(OI\)\(CI\)(?:F|M|RX)"|\*S-1-5-[\d-]+:\(OI\)\(CI\)(?:F|M|RX))`
/** Other programs, from the references of their vendors. */
const PROGRAMS = [
  // "Getting Started with AppCmd.exe"
  /^%windir%\\system32\\inetsrv\\appcmd list (vdirs|config -section:[\w.]+\/\w+)$/,
  /^C:\\bits\\express-bits-upload\.exe (?:install|uninstall|start|stop|restart|status)$/,
  /^sc\.exe (?:start [\w-]+|stop [\w-]+|config [\w-]+ obj= "NT SERVICE\\[\w-]+")$/,
  new RegExp(`^icacls [A-Z]:\\\\\\S+(?: /inheritance:r)? /grant(?: ${ACCESS})+$`),
  /^nssm install [\w-]+ "[^"]+\.exe" \S.*$/,
  /^nssm set [\w-]+ (?:AppDirectory|AppStdout|AppStderr|AppRotateFiles|AppRotateBytes|AppStopMethodConsole) \S+$/,
  /^setspn -S HTTP\/[\w.]+ [A-Z]+\\[\w-]+$/,
  /^ktpass \/princ HTTP\/[\w.]+@[A-Z.]+ \/mapuser [A-Z]+\\[\w-]+ \/crypto AES256-SHA1 \/ptype KRB5_NT_PRINCIPAL \/pass \* \/out [\w.]+$/,
  /^express-bits-upload serve [A-Z]:\\\S+ --on-upload [\w-]+\.exe(?: --on-upload-argument \S+)+$/,
  /^netsh http show servicestate$/,
  /^netsh interface ipv4 show excludedportrange protocol=tcp$/,
]

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
    if (PROGRAMS.some((pattern) => pattern.test(line))) return
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
  // `/upload` is a job type: a name follows it after `/create`, two files after `/transfer`.
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
