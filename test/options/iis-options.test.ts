import { describe, expect, test } from '@jest/globals'
import { bitsUpload, FileStorage, type IisOptions, type IisProperties, iisOptions } from 'express-bits-upload'
import { RecordingLogger, temporaryDirectory } from '../support/serve.js'

const DAY = 24 * 60 * 60
const URL = 'http://127.0.0.1/handler.asp'

/** Properties in the forms that IIS or its tools write, and the resulting options. */
const FORMS: [IisProperties, IisOptions][] = [
  [{}, {}],

  [{ BITSUploadEnabled: true }, { enabled: true }],
  [{ BITSUploadEnabled: 1 }, { enabled: true }],
  [{ BITSUploadEnabled: '1' }, { enabled: true }],
  [{ BITSUploadEnabled: 'true' }, { enabled: true }],
  [{ BITSUploadEnabled: false }, { enabled: false }],
  [{ BITSUploadEnabled: 0 }, { enabled: false }],
  [{ BITSUploadEnabled: '0' }, { enabled: false }],
  [{ BITSUploadEnabled: 'false' }, { enabled: false }],
  [{ BITSUploadEnabled: '' }, {}],

  [{ BITSMaximumUploadSize: '' }, { maxUploadSize: 1_844_674_407_370_955 }],
  [{ BITSMaximumUploadSize: '1844674407370955' }, { maxUploadSize: 1_844_674_407_370_955 }],
  [{ BITSMaximumUploadSize: ' 30000000 ' }, { maxUploadSize: 30_000_000 }],
  [{ BITSMaximumUploadSize: 30_000_000 }, { maxUploadSize: 30_000_000 }],
  [{ BITSMaximumUploadSize: 0 }, { maxUploadSize: 0 }],
  // More than IIS's maximum, which is a 64-bit number.
  [{ BITSMaximumUploadSize: '1844674407370956' }, { maxUploadSize: 1_844_674_407_370_955 }],
  [{ BITSMaximumUploadSize: '18446744073709551615' }, { maxUploadSize: 1_844_674_407_370_955 }],
  [{ BITSMaximumUploadSize: '-1' }, { maxUploadSize: 1_844_674_407_370_955 }],

  [{ BITSAllowOverwrites: 1 }, { overwrite: true }],
  [{ BITSAllowOverwrites: '0' }, { overwrite: false }],
  [{ BITSAllowOverwrites: '' }, {}],

  [{ BITSSessionTimeout: 1_209_600 }, { sessionTimeout: 14 * DAY }],
  [{ BITSSessionTimeout: '86400' }, { sessionTimeout: DAY }],
  [{ BITSSessionTimeout: '' }, {}],
  // 0xFFFFFFFF, which means infinite, and other large numbers as ADSI displays them.
  [{ BITSSessionTimeout: -1 }, { sessionTimeout: 4_294_967_295 }],
  [{ BITSSessionTimeout: '-1294967296' }, { sessionTimeout: 3_000_000_000 }],

  [{ BITSSessionDirectory: 'BITS-Sessions' }, {}],
  [{ BITSSessionDirectory: 'bits-sessions' }, {}],
  [{ BITSSessionDirectory: '' }, {}],

  [{ BITSServerNotificationType: 0 }, {}],
  [{ BITSServerNotificationType: 'NONE' }, {}],
  [{ BITSServerNotificationType: '', BITSServerNotificationURL: '' }, {}],
  [
    { BITSServerNotificationType: 1, BITSServerNotificationURL: URL },
    { notification: { type: 'by-reference', url: URL } },
  ],
  [
    { BITSServerNotificationType: '1', BITSServerNotificationURL: 'myasp.asp' },
    { notification: { type: 'by-reference', url: 'myasp.asp' } },
  ],
  [
    { BITSServerNotificationType: 2, BITSServerNotificationURL: `http://h/${'x'.repeat(2191)}` },
    { notification: { type: 'by-value', url: `http://h/${'x'.repeat(2191)}` } },
  ],
  [
    { BITSServerNotificationType: 'BY_REFERENCE', BITSServerNotificationURL: URL },
    { notification: { type: 'by-reference', url: URL } },
  ],
  [
    { BITSServerNotificationType: 2, BITSServerNotificationURL: URL },
    { notification: { type: 'by-value', url: URL } },
  ],
  [
    { BITSServerNotificationType: 'BY_VALUE', BITSServerNotificationURL: ` ${URL} ` },
    { notification: { type: 'by-value', url: URL } },
  ],

  [{ BITSHostId: '' }, {}],
  [{ BITSHostId: 'FRANKCAO8' }, { hostId: 'FRANKCAO8' }],
  [{ BITSHostId: '2001:db8::1' }, { hostId: '2001:db8::1' }],
  [{ BITSHostId: 'h'.repeat(300) }, { hostId: 'h'.repeat(300) }],
  [
    { BITSHostId: 'FRANKCAO8', BITSHostIdFallbackTimeout: '110' },
    { hostId: 'FRANKCAO8', hostIdFallbackTimeout: 110 },
  ],
  [
    { BITSHostId: 'h', BITSHostIdFallbackTimeout: 0 },
    { hostId: 'h', hostIdFallbackTimeout: 0 },
  ],
  // The values that IIS writes when neither was configured.
  [{ BITSHostId: '', BITSHostIdFallbackTimeout: 86_400 }, {}],

  [
    { BITSHostId: 'h', BITSHostIdFallbackTimeout: -1 },
    { hostId: 'h', hostIdFallbackTimeout: 4_294_967_295 },
  ],
  [{ BITSHostIdFallbackTimeout: -1 }, {}],

  [{ BITSNumberOfSessionsLimit: -1 }, { maxSessionsPerUser: Number.POSITIVE_INFINITY }],
  [{ BITSNumberOfSessionsLimit: 50 }, { maxSessionsPerUser: 50 }],
  [{ BITSSessionLimitEnable: 1, BITSNumberOfSessionsLimit: '7' }, { maxSessionsPerUser: 7 }],
  [{ BITSSessionLimitEnable: 'true' }, {}],
  [{ BITSSessionLimitEnable: 0 }, { maxSessionsPerUser: Number.POSITIVE_INFINITY }],
  [
    { BITSSessionLimitEnable: 0, BITSNumberOfSessionsLimit: 0 },
    { maxSessionsPerUser: Number.POSITIVE_INFINITY },
  ],
  [
    { BITSSessionLimitEnable: 0, BITSNumberOfSessionsLimit: 50 },
    { maxSessionsPerUser: Number.POSITIVE_INFINITY },
  ],

  [{ BITSCleanupUseDefault: 1 }, {}],
  [{ BITSCleanupUseDefault: 1, BITSCleanupCount: 5, BITSCleanupUnits: 0 }, {}],
  [{ BITSCleanupUseDefault: 1, BITSCleanupCount: 0 }, {}],
  [{ BITSCleanupUseDefault: '1', BITSCleanupCount: '90', BITSCleanupUnits: '' }, {}],
  [{ BITSCleanupUseDefault: true, BITSCleanupCount: -1, BITSCleanupUnits: 0 }, {}],
  [{ BITSCleanupUseDefault: 0, BITSCleanupCount: 5 }, { cleanupInterval: 5 * 60 * 60 }],
  [{ BITSCleanupCount: 60, BITSCleanupUnits: 0 }, { cleanupInterval: 60 * 60 }],
  [{ BITSCleanupCount: '24', BITSCleanupUnits: '1' }, { cleanupInterval: DAY }],
  [{ BITSCleanupCount: 12, BITSCleanupUnits: '' }, { cleanupInterval: 12 * 60 * 60 }],
  [{ BITSCleanupCount: 2, BITSCleanupUnits: 2 }, { cleanupInterval: 2 * DAY }],
  // More than a timer can handle.
  [{ BITSCleanupCount: 360, BITSCleanupUnits: 2 }, { cleanupInterval: 24 * DAY }],
  [{ BITSCleanupUnits: 2 }, {}],

  [{ MaxBandwidth: 4_294_967_295 }, {}],
  [{ MaxBandwidth: '4294967295' }, {}],
  [{ MaxBandwidth: -1 }, {}],
  [{ MaxBandwidth: 102_400 }, { maxBandwidth: 102_400 }],

  [{ MaxConnections: 4_294_967_295 }, {}],
  [{ MaxConnections: '-1' }, {}],
  [{ MaxConnections: '' }, {}],

  [{ BITSCleanupWorkItemKey: 'xyz', BITSUploadMetadataVersion: 1 }, {}],
]

const WHOLE = /^iisOptions\(\): \w+ is .+: use a whole number from \d+ to \d+\.$/

const WRONG: [Record<string, unknown>, RegExp][] = [
  [{ BITSUploadEnabled: 'yes' }, /BITSUploadEnabled is "yes": use 0 or 1, true or false\./],
  [{ BITSUploadEnabled: 2 }, /BITSUploadEnabled is 2: use 0 or 1, true or false\./],
  [{ BITSAllowOverwrites: 'on' }, /BITSAllowOverwrites is "on"/],
  [{ BITSSessionLimitEnable: 7 }, /BITSSessionLimitEnable is 7/],
  [{ BITSCleanupUseDefault: 'x' }, /BITSCleanupUseDefault is "x"/],

  [{ BITSMaximumUploadSize: '1 GB' }, WHOLE],
  [{ BITSMaximumUploadSize: 1.5 }, WHOLE],
  [{ BITSSessionTimeout: 0 }, WHOLE],
  [{ BITSSessionTimeout: '14 days' }, WHOLE],
  [{ BITSNumberOfSessionsLimit: 0 }, WHOLE],
  [{ BITSNumberOfSessionsLimit: 'fifty' }, WHOLE],
  [{ BITSCleanupCount: 61, BITSCleanupUnits: 0 }, WHOLE],
  [{ BITSCleanupCount: 25 }, WHOLE],
  [{ BITSCleanupCount: 25, BITSCleanupUnits: 1 }, WHOLE],
  [{ BITSCleanupCount: 361, BITSCleanupUnits: 2 }, WHOLE],
  [{ BITSCleanupCount: 0 }, WHOLE],
  [{ BITSCleanupCount: 1, BITSCleanupUnits: 3 }, WHOLE],
  [{ BITSCleanupUseDefault: 0, BITSCleanupCount: 90 }, WHOLE],
  [{ BITSCleanupUseDefault: 1, BITSCleanupCount: 'x' }, /BITSCleanupCount is "x": use a whole number\./],
  [
    { BITSCleanupUseDefault: 1, BITSCleanupUnits: 'hours' },
    /BITSCleanupUnits is "hours": use a whole number\./,
  ],
  [{ MaxBandwidth: 0 }, WHOLE],
  [{ MaxBandwidth: 'much' }, WHOLE],

  [{ BITSServerNotificationType: 3 }, /BITSServerNotificationType is 3: use .*0.*1.*2/],
  [{ BITSServerNotificationType: 'BY-VALUE' }, /BITSServerNotificationType is "BY-VALUE": use .*0.*1.*2/],
  [
    { BITSServerNotificationType: 1 },
    /BITSServerNotificationType is 1, and there is no BITSServerNotificationURL/,
  ],
  [
    { BITSServerNotificationType: 1, BITSServerNotificationURL: 'ftp://h/x' },
    /BITSServerNotificationURL is "ftp:\/\/h\/x": use an http: or https: URL, or a relative one, of at most 2,200 characters\./,
  ],
  [
    { BITSServerNotificationType: 2, BITSServerNotificationURL: '//elsewhere/handler' },
    /BITSServerNotificationURL is "\/\/elsewhere\/handler": use an http: or https: URL/,
  ],
  [
    { BITSServerNotificationType: 2, BITSServerNotificationURL: `http://h/${'x'.repeat(2192)}` },
    /BITSServerNotificationURL is "http:\/\/h\/x+": use an http: or https: URL/,
  ],
  [
    { BITSHostId: 'a b' },
    /BITSHostId is "a b": use a host as in a URL, "bits2\.example\.com" or "\[::1\]:8080", at most 300 characters\./,
  ],
  [{ BITSHostId: 'http://h/' }, /BITSHostId is "http:\/\/h\/": use a host as in a URL/],
  [
    { BITSHostId: 'h'.repeat(301) },
    /BITSHostId is "h+": use a host as in a URL, .* at most 300 characters\./,
  ],
  [{ BITSCleanupUseDefault: 0 }, /BITSCleanupUseDefault is 0, and there is no BITSCleanupCount/],

  [{ bitsUploadEnabled: 1 }, /no IIS property "bitsUploadEnabled": did you mean BITSUploadEnabled\?/],
  [
    { BITSUploadEnable: 1 },
    /no IIS property "BITSUploadEnable": there are BITSUploadEnabled, .*MaxBandwidth/,
  ],
]

/** Properties with settings that have no effect here, the remaining options, and the warning. */
const IGNORED: [IisProperties, IisOptions, string][] = [
  [
    { BITSServerNotificationURL: URL, BITSAllowOverwrites: 1 },
    { overwrite: true },
    'BITSServerNotificationURL is ignored, as BITSServerNotificationType is none: 1 is by reference, 2 by value.',
  ],
  [
    { BITSServerNotificationType: 0, BITSServerNotificationURL: URL },
    {},
    'BITSServerNotificationURL is ignored, as BITSServerNotificationType is none: 1 is by reference, 2 by value.',
  ],
  [
    { BITSHostIdFallbackTimeout: 110 },
    {},
    'BITSHostIdFallbackTimeout 110 is ignored, as there is no BITSHostId.',
  ],
  [
    { BITSSessionDirectory: 'C:\\elsewhere' },
    {},
    'BITSSessionDirectory "C:\\elsewhere" is ignored: unfinished uploads are always kept in BITS-Sessions.',
  ],
  [
    { MaxConnections: 100 },
    {},
    'MaxConnections 100 has no option: set server.maxConnections of the HTTP server.',
  ],
]

describe('iisOptions()', () => {
  test.each(FORMS)('turns %j into %j', (properties, options) => {
    const logger = new RecordingLogger()
    expect(iisOptions(properties, { logger })).toEqual(options)
    expect(logger.lines).toEqual([])
  })

  test.each(IGNORED)('turns %j into %j, with a warning', (properties, options, warning) => {
    const logger = new RecordingLogger()
    expect(iisOptions(properties, { logger })).toEqual(options)
    expect(logger.lines).toEqual([`warn: iisOptions(): ${warning}`])
  })

  test.each(WRONG)('refuses %j with a message', (properties, sentence) => {
    const call = () => Reflect.apply(iisOptions, undefined, [properties])
    expect(call).toThrow(TypeError)
    expect(call).toThrow(sentence)
    expect(call).toThrow(/^iisOptions\(\): .*[.?]$/)
  })

  test.each([undefined, null, 'x', [[]]])('refuses %p, which is not an object', (properties) => {
    expect(() => Reflect.apply(iisOptions, undefined, [properties])).toThrow(
      /^iisOptions\(\): .*use an object\.$/,
    )
  })

  test('treats null and blanks as not set', () => {
    const blank = Object.fromEntries(
      ['BITSHostId', 'BITSSessionTimeout', 'MaxBandwidth'].map((name) => [name, '  ']),
    )
    const nothing = {
      BITSUploadEnabled: null,
      BITSServerNotificationType: null,
      BITSServerNotificationURL: null,
    }
    expect(Reflect.apply(iisOptions, undefined, [{ ...blank, ...nothing }])).toEqual({})
  })

  test.each([5, '7', -2_147_483_648])('ignores BITSCleanupUnits %p with BITSCleanupUseDefault', (units) => {
    const properties = { BITSCleanupUseDefault: 1, BITSCleanupCount: 12, BITSCleanupUnits: units }
    expect(Reflect.apply(iisOptions, undefined, [properties])).toEqual({})
  })

  test('returns options that bitsUpload() accepts', async () => {
    const { path, remove } = await temporaryDirectory()
    for (const [properties] of FORMS) {
      const options = iisOptions(properties)
      const storage = new FileStorage({ directory: path })
      const bits = bitsUpload({ storage, logger: new RecordingLogger(), ...options })
      await bits.close()
    }
    await remove()
  })

  test('accepts all properties together', () => {
    const all: Required<IisProperties> = {
      BITSUploadEnabled: '1',
      BITSMaximumUploadSize: '30000000',
      BITSAllowOverwrites: '1',
      BITSSessionTimeout: '86400',
      BITSSessionDirectory: 'BITS-Sessions',
      BITSServerNotificationType: '2',
      BITSServerNotificationURL: URL,
      BITSHostId: 'FRANKCAO8',
      BITSHostIdFallbackTimeout: '110',
      BITSSessionLimitEnable: '1',
      BITSNumberOfSessionsLimit: '10',
      BITSCleanupUseDefault: '0',
      BITSCleanupCount: '2',
      BITSCleanupUnits: '2',
      BITSCleanupWorkItemKey: 'key',
      BITSUploadMetadataVersion: '1',
      MaxBandwidth: '100000',
      MaxConnections: '4294967295',
    }
    expect(iisOptions(all)).toEqual({
      enabled: true,
      maxUploadSize: 30_000_000,
      overwrite: true,
      sessionTimeout: DAY,
      notification: { type: 'by-value', url: URL },
      hostId: 'FRANKCAO8',
      hostIdFallbackTimeout: 110,
      maxSessionsPerUser: 10,
      cleanupInterval: 2 * DAY,
      maxBandwidth: 100_000,
    })
  })
})
