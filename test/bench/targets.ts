import type { Figures } from './measure.js'
import { megabytes, type Target } from './report.js'

/** The middleware's figures, durability `none`, in each scenario, and those of an app with it installed. */
export interface Results {
  readonly large: Figures
  readonly small: Figures
  readonly many: Figures
  readonly get: Figures
}

/** What is to be reached beside the plain server. */
export const targets = ({ large, small, many, get }: Results): Target[] => [
  atLeast('large file: throughput, at least 1.25 of the plain server', large.rateRatio, 1.25),
  atMost('large file: CPU, at most 0.85 of the plain server', large.cpuRatio, 0.85),
  {
    text: 'small files: at least 2,000 a second, or 0.8 of the plain server',
    measured: `${small.rate.toFixed(0)}/s, ${small.rateRatio.toFixed(2)}`,
    reached: small.rate >= 2000 || small.rateRatio >= 0.8,
  },
  {
    text: '32 uploads at once: resident memory, under 150 MB',
    measured: `${megabytes(many.peak)} MB`,
    reached: many.peak < 150e6,
  },
  atLeast('GET with the middleware installed: at least 0.97 of without', get.rateRatio, 0.97),
]

const atLeast = (text: string, value: number, limit: number): Target => ({
  text,
  measured: value.toFixed(2),
  reached: value >= limit,
})

const atMost = (text: string, value: number, limit: number): Target => ({
  text,
  measured: value.toFixed(2),
  reached: value <= limit,
})
