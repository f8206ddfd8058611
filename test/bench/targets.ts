import type { Figures } from './measure.js'
import { megabytes, type Target } from './report.js'

/** Figures of the middleware, durability `none`, in each scenario that ran. */
export interface Results {
  readonly large?: Figures | undefined
  /** After 1,000 small files and 4,000 GETs. */
  readonly warmedUp?: Figures | undefined
  readonly small?: Figures | undefined
  /** Small files, in an app whose server creates requests with Express's prototypes. */
  readonly smallPrototypes?: Figures | undefined
  readonly plainWatched?: Figures | undefined
  readonly smallWatched?: Figures | undefined
  /** Express, answering three Acks and keeping nothing. */
  readonly acksWatched?: Figures | undefined
  readonly many?: Figures | undefined
  /** For an app with the middleware. */
  readonly get?: Figures | undefined
}

/** The targets, relative to the first contender of each scenario. */
export const targets = (results: Results): Target[] => [
  ...ratios('large file', results.large, 1.4, 0.7),
  ...ratios('large file in a server that has worked for a while', results.warmedUp, 1.2, 0.8),
  ...ratios('small files', results.small, 0.4, 2.2),
  ...ratios('small files, Express prototypes', results.smallPrototypes, 0.4, 2.1),
  ...(results.smallWatched
    ? [
        atMost(
          `small files: longest event-loop turn in the quietest round, ms (median ${turns(results.smallWatched)}; ` +
            `plain server ${leastTurn(results.plainWatched)}, median ${turns(results.plainWatched)}; ` +
            `three Acks ${leastTurn(results.acksWatched)}, median ${turns(results.acksWatched)})`,
          results.smallWatched.leastLongestTurn * 1000,
          5,
        ),
      ]
    : []),
  ...ratios('32 uploads at once', results.many, 0.95, 1.25),
  ...(results.many
    ? [
        {
          text: '32 uploads at once: resident memory, under 150 MB',
          measured: `${megabytes(results.many.peak)} MB`,
          reached: results.many.peak < 150e6,
        },
      ]
    : []),
  ...ratios('GET', results.get, 0.99, 1.02),
]

const turns = (figures: Figures | undefined): string => milliseconds(figures?.longestTurn)
const leastTurn = (figures: Figures | undefined): string => milliseconds(figures?.leastLongestTurn)
const milliseconds = (seconds = 0): string => (seconds * 1000).toFixed(1)

const ratios = (what: string, figures: Figures | undefined, rate: number, cpu: number): Target[] =>
  figures
    ? [
        {
          text: `${what}: throughput, at least ${rate}`,
          measured: figures.rateRatio.toFixed(2),
          reached: figures.rateRatio >= rate,
        },
        atMost(`${what}: CPU time`, figures.cpuRatio, cpu),
      ]
    : []

const atMost = (text: string, value: number, limit: number): Target => ({
  text: `${text}, at most ${limit}`,
  measured: value.toFixed(2),
  reached: value <= limit,
})
