import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { UploadJob } from 'express-bits-upload/client'
import { Registry } from 'prom-client'
import { instrumentsOf } from '../../lib/metrics/instruments.js'
import { readOptions } from '../../lib/options/settings.js'
import { CONDITIONS } from '../../lib/protocol/bits-error.js'
import { documentText } from './documents.js'
import { membersOf, numberOf, table } from './tables.js'
import { ROOT } from './temp-project.js'

const source = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const names = (firstCell: string): string[] => table(firstCell).map(([name = '']) => name)

describe('the tables of the documents', () => {
  test.each([
    ['Option', 'types/options.ts', 'BitsUploadOptions'],
    ['Option of `FileStorage`', 'lib/storage/file/file-storage.ts', 'FileStorageOptions'],
    ['Option of `FileSessionStore`', 'lib/session-stores/file-session-store.ts', 'FileSessionStoreOptions'],
    ['Option of `MemoryStorage`', 'lib/storage/memory/memory-storage.ts', 'MemoryStorageOptions'],
    ['Option of the client', 'lib/client/options.ts', 'UploadOptions'],
    ['Option of `negotiate`', 'lib/negotiate/options.ts', 'NegotiateOptions'],
    ['Option in browsers', 'lib/browser/options.ts', 'BrowserUploadOptions'],
    ['Option of `notification`', 'types/delivery.ts', 'NotificationOptions'],
    ['Event', 'types/events.ts', 'BitsUploadEvents'],
    ['IIS property', 'types/iis.ts', 'IisProperties'],
  ])('%s: lists every member and nothing else', (firstCell, path, name) => {
    expect(names(firstCell).sort()).toEqual(membersOf(source(path), name).sort())
  })

  test.each([
    ['Optional method', 'types/storage.ts', 'StorageAdapter'],
    ['Optional method of a session store', 'types/session.ts', 'SessionStore'],
  ])('%s: lists those of the type', (firstCell, path, name) => {
    const optional = membersOf(source(path), name, { optionalOnly: true })
    const listed = names(firstCell).map((call) => call.replace(/\(.*/, ''))
    // Every adapter has these two; its type explains them.
    expect(listed.sort()).toEqual(optional.filter((method) => !['open', 'close'].includes(method)).sort())
  })

  test('Metric: lists every metric, with its type and labels', async () => {
    const registry = new Registry()
    const instruments = instrumentsOf(registry, '')
    const labels = new Map(
      Object.values(instruments).map((one) => [Reflect.get(one, 'name'), Reflect.get(one, 'labelNames')]),
    )
    const exported = (await registry.getMetricsAsJSON()).map(({ name, type }) => [
      name,
      String(type),
      labels.get(name),
    ])
    const listed = table('Metric').map(([name = '', type = '', shown = '']) => [
      name,
      type,
      [...shown.matchAll(/\w+/g)].map(([label]) => label),
    ])
    expect(listed).toEqual(exported)
  })

  test('every option has a type or unit, and a default', () => {
    for (const firstCell of ['Option', 'Option of `FileStorage`', 'Option of the client']) {
      for (const [, type, defaultValue] of table(firstCell)) {
        expect(type).not.toBe('')
        expect(defaultValue).not.toBe('')
      }
    }
  })

  test('defaults are those of the code', () => {
    const settings: Record<string, unknown> = { ...readOptions({}) }
    let compared = 0
    for (const [name = '', , shown = ''] of table('Option')) {
      const value = settings[name]
      if (typeof value !== 'number' && typeof value !== 'boolean') continue
      compared++
      expect([name, numberOf(shown) ?? shown]).toEqual([
        name,
        typeof value === 'number' ? value : String(value),
      ])
    }
    expect(compared).toBeGreaterThan(7)
  })

  test('defaults of the client and the storages are those in the comments of their types', () => {
    const comments = ['lib/client/options.ts', 'lib/storage/memory/memory-storage.ts', 'types/delivery.ts']
      .map(source)
      .join('\n')
    for (const firstCell of [
      'Option of the client',
      'Option of `MemoryStorage`',
      'Option of `notification`',
    ]) {
      for (const [name = '', , shown = ''] of table(firstCell)) {
        const value = numberOf(shown)
        if (value === undefined) continue
        const comment = new RegExp(`/\\*\\*((?:(?!\\*/).)*)\\*/\\s+${name}\\?`, 's').exec(comments)?.[1]
        expect([name, comment?.replace(/\s*\n\s*\*\s*/g, ' ')]).toEqual([
          name,
          expect.stringContaining(`Default: ${value.toLocaleString('en')}`),
        ])
      }
    }
  })

  test('the names in `tls` are those the client accepts', () => {
    const named = table('Option of the client').find(([name]) => name === 'tls')?.[3] ?? ''
    const options = { tls: { none: true } }
    expect(() => Reflect.construct(UploadJob, ['x', 'http://127.0.0.1/', options])).toThrow(
      `there are ${named.split(', as in')[0]?.replace(' and ', ', ').replaceAll('`', '')}.`,
    )
  })

  test('error codes: status, HRESULT and context are those of the code', () => {
    const hex = (value: number) => `0x${value.toString(16).toUpperCase()}`
    const expected = Object.entries(CONDITIONS).map(([code, condition]) =>
      'hresult' in condition
        ? [code, String(condition.status), hex(condition.hresult), hex(condition.context)]
        : [code, String(condition.status), 'none', 'none'],
    )
    expect(table('Code').map((cells) => cells.slice(0, 4))).toEqual(expected)
  })

  test('commands for contributors exist', () => {
    const { scripts } = JSON.parse(source('package.json'))
    for (const command of names('Command')) {
      const [program = '', ...words] = command.split(' ')
      if (program === 'bash') expect(existsSync(join(ROOT, words[0] ?? ''))).toBe(true)
      else expect([command, Object.keys(scripts)]).toEqual([command, expect.arrayContaining(words.slice(-1))])
    }
    expect(names('Command').length).toBeGreaterThan(5)
  })

  test("Node's timeouts are the documented ones", () => {
    const server = createServer()
    const defaults = new Map(table('Property of the server').map(([name, value = '']) => [name, value]))
    expect(numberOf(defaults.get('requestTimeout') ?? '')).toBe(server.requestTimeout)
    expect(numberOf(defaults.get('keepAliveTimeout') ?? '')).toBe(server.keepAliveTimeout)
    expect(documentText('docs/deployment.md')).toContain('`headersTimeout` (60,000 ms) and `timeout` (none)')
    expect([server.headersTimeout, server.timeout]).toEqual([60_000, 0])
  })
})
