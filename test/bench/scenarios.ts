import { MIB } from './contenders.js'
import { gets } from './gets.js'
import type { Scenario } from './scenario.js'
import { uploads } from './uploads.js'

/** All workloads. @param quick smaller ones. */
export function scenarios(quick: boolean) {
  const large = { count: 1, size: (quick ? 128 : 256) * MIB, connections: 1 }
  const small = { count: 1000, size: 4096, connections: 8 }
  const many = { count: 32, size: (quick ? 13 : 26) * MIB, connections: 32 }
  const smallFiles = (title: string): Scenario => uploads(title, small)
  return {
    large: uploads('One large file, in fragments of 8 MiB', large),
    warmedUp: uploads('One large file after 1,000 small files and 4,000 GETs', {
      ...large,
      after: [smallFiles('small files first'), gets('GETs first', 4000, 8, undefined)],
    }),
    small: smallFiles('1,000 files of 4 KiB, over 8 connections'),
    smallWatched: smallFiles('1,000 files of 4 KiB: event-loop turns'),
    many: uploads('32 uploads at once, in fragments of 13 MiB', many),
    get: gets('GET, over 8 connections', quick ? 4000 : 8000, 8, 200),
  }
}
