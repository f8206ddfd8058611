import { describe, expect, test } from '@jest/globals'
import { Command } from 'commander'
import { SaxesParser } from 'saxes'
import { addServeCommand } from '../../lib/cli/serve/command.js'
import { BLOCKS } from './blocks.js'

const PAGE = 'docs/windows-server.md'
/** Elements of a configuration, from WinSW's "XML configuration file". */
const WINSW = [
  ...['service', 'id', 'name', 'description', 'executable', 'arguments', 'workingdirectory', 'startmode'],
  ...['onfailure', 'stoptimeout', 'logpath', 'log', 'sizeThreshold', 'keepFiles', 'env'],
]

const services = BLOCKS.filter(({ file, language }) => file === PAGE && language === 'xml')

/** The texts of an XML document's elements by name. @throws Error when it is not well-formed. */
function textsOf(xml: string): Map<string, string> {
  const texts = new Map<string, string>()
  const open: string[] = []
  const parser = new SaxesParser()
  parser.on('error', (error) => {
    throw error
  })
  parser.on('opentag', ({ name }) => {
    open.push(name)
    texts.set(name, '')
  })
  parser.on('text', (text) => {
    const name = open.at(-1)
    if (name !== undefined) texts.set(name, (texts.get(name) ?? '') + text)
  })
  parser.on('closetag', () => {
    open.pop()
  })
  parser.write(xml).close()
  return texts
}

/** Parses the arguments of `serve` in a command. @throws Error for unknown ones. */
function readServe(words: readonly string[]): { operands: string[]; unknown: string[]; grace: number } {
  const program = new Command().exitOverride()
  addServeCommand(program, () => {})
  const [serve] = program.commands
  if (!serve) throw new Error('There is no command.')
  const { operands, unknown } = serve.exitOverride().parseOptions([...words])
  return { operands, unknown, grace: Number(serve.opts().grace) }
}

const wordsAfterServe = (command: string): string[] => {
  const words = command.trim().split(/\s+/)
  return words.slice(words.indexOf('serve') + 1)
}

describe('the services of WinSW', () => {
  test.each(services.map(({ section, text }) => [section, text] as const))(
    '%s is XML with elements that WinSW knows',
    (_section, text) => {
      const texts = textsOf(text)
      expect([...texts.keys()].filter((name) => !WINSW.includes(name))).toEqual([])
      expect([...texts.keys()][0]).toBe('service')
      expect(texts.get('executable')).toMatch(/\\node\.exe$/)
      expect(texts.get('arguments')).toMatch(/^C:\\\S+\.js(?: |$)/)
    },
  )

  test('both kinds exist', () => {
    expect(services).toHaveLength(2)
  })

  test('serve takes the arguments, and has time to stop', () => {
    const texts = textsOf(services[0]?.text ?? '')
    const { operands, unknown, grace } = readServe(wordsAfterServe(texts.get('arguments') ?? ''))
    expect([operands, unknown]).toEqual([['D:\\uploads'], []])
    const [, seconds] = /^(\d+) sec$/.exec(texts.get('stoptimeout') ?? '') ?? []
    expect(Number(seconds)).toBeGreaterThan(grace)
  })
})

test('serve takes the arguments of NSSM, and has time to stop', () => {
  const [commands] = BLOCKS.filter(({ section }) => section === `${PAGE}#NSSM`)
  const lines = commands?.text.trim().split('\n') ?? []
  const { operands, unknown, grace } = readServe(wordsAfterServe(lines[0] ?? ''))
  expect([operands, unknown]).toEqual([['D:\\uploads'], []])
  const [, milliseconds] = /AppStopMethodConsole (\d+)/.exec(commands?.text ?? '') ?? []
  expect(Number(milliseconds)).toBeGreaterThan(grace * 1000)
})
