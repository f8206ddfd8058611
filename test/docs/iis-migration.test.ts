import { describe, expect, test } from '@jest/globals'
import { type IisProperties, iisOptions } from 'express-bits-upload'
import { block } from './blocks.js'
import { table } from './tables.js'

const PAGE = 'docs/iis-migration.md'
const properties = block('json', { in: PAGE, containing: '"BITSAllowOverwrites"' })

/** A value of each property that sets its option, with the properties that it depends on. */
const EXAMPLES: { readonly [Name in keyof Required<IisProperties>]: IisProperties } = {
  BITSUploadEnabled: { BITSUploadEnabled: 1 },
  BITSMaximumUploadSize: { BITSMaximumUploadSize: '' },
  BITSAllowOverwrites: { BITSAllowOverwrites: 1 },
  BITSSessionTimeout: { BITSSessionTimeout: '60' },
  BITSSessionDirectory: { BITSSessionDirectory: 'BITS-Sessions' },
  BITSServerNotificationType: { BITSServerNotificationType: 1, BITSServerNotificationURL: 'http://h/' },
  BITSServerNotificationURL: { BITSServerNotificationType: 2, BITSServerNotificationURL: 'https://h/' },
  BITSHostId: { BITSHostId: 'host' },
  BITSHostIdFallbackTimeout: { BITSHostId: 'host', BITSHostIdFallbackTimeout: 60 },
  BITSSessionLimitEnable: { BITSSessionLimitEnable: 0 },
  BITSNumberOfSessionsLimit: { BITSNumberOfSessionsLimit: 5 },
  BITSCleanupUseDefault: { BITSCleanupUseDefault: 0, BITSCleanupCount: 2 },
  BITSCleanupCount: { BITSCleanupCount: 2 },
  BITSCleanupUnits: { BITSCleanupCount: 2, BITSCleanupUnits: 2 },
  BITSCleanupWorkItemKey: { BITSCleanupWorkItemKey: 'x' },
  BITSUploadMetadataVersion: { BITSUploadMetadataVersion: 1 },
  MaxBandwidth: { MaxBandwidth: 1024 },
  MaxConnections: { MaxConnections: 4_294_967_295 },
}

describe('the table of IIS properties', () => {
  test.each(table('IIS property').map(([name, option]) => [name, option]))(
    '%s becomes %s',
    (name, option) => {
      const example = Object.entries(EXAMPLES).find(([known]) => known === name)?.[1] ?? {}
      expect(Object.keys(example)).toContain(name)
      const options = Object.keys(iisOptions(example))
      if (option === 'none') expect(options).toEqual([])
      else expect(options).toContain(option)
    },
  )

  test('names the values that options get', () => {
    const size = 1_844_674_407_370_955
    expect(iisOptions({ BITSMaximumUploadSize: '' }).maxUploadSize).toBe(size)
    expect(table('IIS property').flat().join()).toContain(size.toLocaleString('en'))
    const sized = { BITSCleanupUseDefault: 1, BITSCleanupCount: 2 } as const
    expect(iisOptions(sized).cleanupInterval).toBeUndefined()
    expect(iisOptions({ BITSCleanupCount: 360, BITSCleanupUnits: 2 }).cleanupInterval).toBe(24 * 86_400)
    expect(iisOptions({ BITSSessionLimitEnable: 0 }).maxSessionsPerUser).toBe(Number.POSITIVE_INFINITY)
    expect(iisOptions({ MaxBandwidth: 4_294_967_295 })).toEqual({})
    const warnings: string[] = []
    const logger = { warn: (message: string) => void warnings.push(message) }
    iisOptions({ BITSSessionDirectory: 'Elsewhere' }, { logger })
    iisOptions({ BITSServerNotificationType: 0, BITSServerNotificationURL: 'x' }, { logger })
    iisOptions({ MaxConnections: 7 }, { logger })
    expect(warnings).toHaveLength(3)
  })
})

test('the script reads the properties of the table', () => {
  const { text } = block('powershell', { in: PAGE, containing: '$names' })
  const named = /'(BITS[^']*)'/.exec(text)?.[1]?.split(' ') ?? []
  const unread = ['BITSCleanupWorkItemKey', 'BITSUploadMetadataVersion', 'MaxBandwidth', 'MaxConnections']
  const known = table('IIS property').map(([name = '']) => name)
  expect(named).toEqual(known.filter((name) => !unread.includes(name)))
  expect(Object.keys(JSON.parse(properties.text))).toEqual(named)
})
