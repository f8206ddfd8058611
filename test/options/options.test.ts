import { describe, expect, test } from '@jest/globals'
import {
  type BitsUploadOptions,
  bitsUpload,
  FileSessionStore,
  FileStorage,
  MemorySessionStore,
  MemoryStorage,
  OptionError,
} from 'express-bits-upload'

/** Passes options as JavaScript code could, where no compiler checks them. */
const unchecked = (options: unknown) => Reflect.apply(bitsUpload, undefined, [options])

describe('bitsUpload() refuses an invalid option with a message that names the option, its value and the remedy', () => {
  const storageWanted = 'use a FileStorage, a MemoryStorage or your own StorageAdapter'
  const storeWanted = 'use a FileSessionStore, a MemorySessionStore or your own SessionStore'
  const bytesWanted = (min: number) => `use a whole number of bytes, from ${min} to 2^53 - 1.`
  const sizeWanted = 'use a whole number of bytes, from 0 to 2^53 - 1, or Infinity.'
  const secondsWanted = 'use a number of seconds above 0.'
  const wrong: [options: Record<string, unknown>, ...parts: string[]][] = [
    [{ storage: null }, 'the option storage is null', `${storageWanted}.`],
    [{ storage: './uploads' }, 'the option storage is "./uploads"', `${storageWanted}.`],
    [
      { storage: {} },
      'the option storage is an object',
      `${storageWanted}; it lacks has(), begin(), append()`,
    ],
    [
      { storage: new MemorySessionStore() },
      'storage is an object of class MemorySessionStore',
      'it lacks has()',
    ],
    [{ directory: '' }, 'the option directory is ""', 'use a path.'],
    [{ directory: 7 }, 'the option directory is 7', 'use a path.'],
    [{ sessionStore: true }, 'the option sessionStore is true', `${storeWanted}.`],
    [
      { sessionStore: new Map() },
      'the option sessionStore is an object of class Map',
      `${storeWanted}; it lacks create(), update()`,
    ],
    [{ maxUploadSize: -1 }, 'the option maxUploadSize is -1', sizeWanted],
    [{ maxUploadSize: 1.5 }, 'the option maxUploadSize is 1.5', sizeWanted],
    [{ maxUploadSize: '1GB' }, 'the option maxUploadSize is "1GB"', sizeWanted],
    [{ maxUploadSize: Number.NaN }, 'the option maxUploadSize is NaN', sizeWanted],
    [{ maxUploadSize: 2 ** 53 }, 'the option maxUploadSize is 9007199254740992', sizeWanted],
    [{ maxUploadSize: 10n }, 'the option maxUploadSize is 10', sizeWanted],
    [{ maxFragmentSize: 5119 }, 'the option maxFragmentSize is 5119', bytesWanted(5120)],
    [{ maxFragmentSize: Number.POSITIVE_INFINITY }, 'maxFragmentSize is Infinity', bytesWanted(5120)],
    [{ overwrite: 'yes' }, 'the option overwrite is "yes"', 'use true or false.'],
    [{ overwrite: 1 }, 'the option overwrite is 1', 'use true or false.'],
    [{ sessionTimeout: 0 }, 'the option sessionTimeout is 0', secondsWanted],
    [{ sessionTimeout: Number.POSITIVE_INFINITY }, 'the option sessionTimeout is Infinity', secondsWanted],
    [{ sessionTimeout: '14d' }, 'the option sessionTimeout is "14d"', secondsWanted],
    [{ cleanupInterval: -5 }, 'the option cleanupInterval is -5', secondsWanted],
    [{ cleanupInterval: 3_000_000 }, 'the option cleanupInterval is 3000000', 'use at most 24 days'],
    [{ authorize: true }, 'the option authorize is true', 'use a function.'],
    [{ user: 'alice' }, 'the option user is "alice"', 'use a function.'],
    [{ onUpload: {} }, 'the option onUpload is an object', 'use a function.'],
    [{ perRequest: {} }, 'the option perRequest is an object', 'use a function.'],
    [{ enabled: 'no' }, 'the option enabled is "no"', 'true or false'],
    [{ trustSessionId: 'no' }, 'the option trustSessionId is "no"', 'use true or false.'],
    [{ maxSessionsPerUser: 0 }, 'the option maxSessionsPerUser is 0', 'from 1 to 2^53 - 1'],
    [{ maxNewSessions: 5 }, 'the option maxNewSessions is 5', 'use { perSecond, concurrent } with numbers'],
    [{ maxNewSessions: { persecond: 1 } }, '{ perSecond, concurrent } with numbers; there is no persecond.'],
    [{ maxNewSessions: { perSecond: 0.5 } }, 'its perSecond must be a whole number of sessions, from 1'],
    [{ maxNewSessions: { concurrent: 0 } }, 'its concurrent must be a whole number of packets, from 1'],
    [{ maxBandwidth: -1 }, 'the option maxBandwidth is -1', 'use bytes per second'],
    [{ maxBandwidth: { persession: 1 } }, '{ perSession, total } with such numbers; there is no persession.'],
    [{ hostId: 'http://host/' }, 'the option hostId is "http://host/"', 'use a host as in a URL'],
    [{ hostId: 'bücher.example' }, 'the option hostId is "bücher.example"', 'use a host as in a URL'],
    [{ hostId: 'host:' }, 'the option hostId is "host:"', 'use a host as in a URL'],
    [{ hostId: 'host:0' }, 'the option hostId is "host:0"', 'use a host as in a URL'],
    [{ notification: 'http://user:pass@x/' }, 'the option notification is a string: use { type:'],
    [
      { notification: { type: 'by-value', url: 'http://user:pa#ss@host/' } },
      'its url is "http://…@host/": an http: or https: URL',
    ],
    [{ logger: {} }, 'the option logger is an object', 'use console, or a logger like it', 'it lacks info()'],
    [{ logger: false }, 'the option logger is false', 'use console'],
    [{ acceptPost: null }, 'the option acceptPost is null', 'use true or false.'],
    [{ acceptBitsPost: 0 }, 'the option acceptBitsPost is 0', 'use true or false.'],
    [{ storage: new MemoryStorage(), directory: 'x' }, 'use storage or directory, not both.'],
    [{ maxuploadsize: 5 }, 'there is no option "maxuploadsize"', 'did you mean maxUploadSize?'],
    [{ maxSize: 5 }, 'there is no option "maxSize"', 'the options are storage, directory, '],
    [{ dir: 'x' }, 'there is no option "dir"', 'did you mean directory?'],
    [{ overwritte: true }, 'there is no option "overwritte"', 'did you mean overwrite?'],
    [{ constructor: 5 }, 'there is no option "constructor"'],
  ]

  test.each(wrong)('%j', (options, ...parts) => {
    let message = 'Nothing was thrown.'
    try {
      unchecked(options)
    } catch (error) {
      expect(error).toBeInstanceOf(OptionError)
      expect(error).toBeInstanceOf(TypeError)
      message = error instanceof Error ? error.message : ''
    }
    expect(message).toMatch(/^bitsUpload\(\): .+[.?]$/)
    for (const part of parts) expect(message).toContain(part)
  })

  const TWICE = { 'X-Key': 'secret', 'x-key': 'secret' }
  test.each<[headers: unknown, sentence: string]>([
    ['X-Key: secret', 'its headers must be an object with strings as values'],
    [new Map(), 'its headers must be an object with strings as values'],
    [{ 'X Y': 'secret' }, 'its header "X Y": there is a character in it that a header cannot have'],
    [{ 'X-Key': 'secret\n' }, 'its header "X-Key": there is a character in it that a header cannot have'],
    [{ 'X-Key': ['secret'] }, 'its header "X-Key": its value is of type object; use a string'],
    [{ 'X-Key': '' }, 'its header "X-Key": it has no value; set one'],
    [TWICE, 'its header "x-key": it is set twice; set it once'],
    [{ 'bits-original-request-url': 'secret' }, 'each notification has its own; leave it out'],
    [{ Host: 'secret' }, 'its header "Host": each notification has its own; leave it out'],
  ])('headers of a notification, without showing their values: %j', (headers, sentence) => {
    const refused = () => unchecked({ notification: { type: 'by-value', url: '/x', headers } })
    expect(refused).toThrow(sentence)
    expect(refused).not.toThrow('secret')
  })

  test.each([
    [null, 'null'],
    ['./uploads', '"./uploads"'],
    [7, '7'],
    [() => {}, 'the function or class without a name'],
  ])('%j instead of options', (options, shown) => {
    expect(() => unchecked(options)).toThrow(
      `bitsUpload(): the options are ${shown}: use an object, or nothing.`,
    )
  })
})

describe('storages and stores refuse theirs the same way', () => {
  const TAKERS = { FileStorage, FileSessionStore, MemoryStorage }
  const fileOptions = 'the options are directory, durability, createDirectories, fileMode, directoryMode.'
  test.each<[name: keyof typeof TAKERS, options: unknown, sentence: string]>([
    ['FileStorage', { directory: '' }, 'the option directory is "": use a path.'],
    ['FileStorage', { durability: 'none' }, 'the option directory is undefined: use a path.'],
    ['FileStorage', undefined, 'the options are undefined: use an object.'],
    ['FileStorage', './uploads', 'the options are "./uploads": use an object.'],
    ['FileStorage', { directory: 'x', durable: true }, `there is no option "durable": ${fileOptions}`],
    [
      'FileStorage',
      { directory: 'x', Durability: 'none' },
      'there is no option "Durability": did you mean durability?',
    ],
    [
      'FileStorage',
      { directory: 'x', durability: 'always' },
      `the option durability is "always": use 'none', 'publish' or 'fragment'.`,
    ],
    [
      'FileStorage',
      { directory: 'x', createDirectories: 'no' },
      'the option createDirectories is "no": use true or false.',
    ],
    ['FileSessionStore', {}, 'the option directory is undefined: use a path.'],
    ['FileSessionStore', undefined, 'the options are undefined: use an object.'],
    [
      'FileSessionStore',
      { directory: 'x', sharde: true },
      'there is no option "sharde": did you mean shared?',
    ],
    ['FileSessionStore', { directory: 'x', shared: 'no' }, 'the option shared is "no": use true or false.'],
    ['FileSessionStore', { directory: 'x', durable: 1 }, 'the option durable is 1: use true or false.'],
    ['MemoryStorage', { maxByte: 1 }, 'there is no option "maxByte": did you mean maxBytes?'],
    [
      'MemoryStorage',
      { maxBytes: 0 },
      'the option maxBytes is 0: use a whole number of bytes, from 1 to 2^53 - 1.',
    ],
    ['MemoryStorage', null, 'the options are null: use an object, or nothing.'],
  ])('%s %j', (name, options, sentence) => {
    const make = () => Reflect.construct(TAKERS[name], [options])
    expect(make).toThrow(TypeError)
    expect(make).toThrow(`${name}: ${sentence}`)
  })
})

describe('bitsUpload() accepts', () => {
  const right: [what: string, options: BitsUploadOptions][] = [
    ['each limit at its lowest', { maxUploadSize: 0, maxFragmentSize: 5120, sessionTimeout: 0.001 }],
    [
      'each limit at its highest',
      { maxUploadSize: 2 ** 53 - 1, maxFragmentSize: 2 ** 53 - 1, cleanupInterval: 24 * 24 * 60 * 60 },
    ],
    [
      'Infinity for no limit',
      { maxUploadSize: Infinity, maxSessionsPerUser: Infinity, maxBandwidth: Infinity },
    ],
    ['stores and a logger', { sessionStore: new MemorySessionStore(), logger: console }],
    ['a store on disk beside memory', { sessionStore: new FileSessionStore({ directory: '/nowhere' }) }],
  ]
  test.each(right)('%s', async (_, options) => {
    const storage = new MemoryStorage()
    const quiet = { info() {}, warn() {}, error() {} }
    const sessions = new MemorySessionStore()
    const bits = bitsUpload({ storage, ...options, sessionStore: sessions, logger: options.logger ?? quiet })
    await bits.close()
  })

  test('undefined for anything that is left out', async () => {
    const bits = unchecked({ storage: new MemoryStorage(), maxUploadSize: undefined, directory: undefined })
    await Reflect.get(bits, 'close')()
  })
})
