import cliProgress from 'cli-progress'
import { printError } from '../say.js'

/** Bytes as people read them: `67108864` becomes `64.0 MB`, as Windows counts. */
export function readable(bytes: number): string {
  const units = ['bytes', 'KB', 'MB', 'GB', 'TB']
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), units.length - 1)
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`
}

/** Shows how far an upload has come. */
export interface ProgressBar {
  update(sent: number, total: number): void
  /** A line among it. */
  say(line: string): void
  stop(): void
}

/** A bar in a terminal, a line at each tenth elsewhere, nothing but the lines that are said when quiet. */
export function startProgress(quiet: boolean): ProgressBar {
  if (quiet) return { update: () => {}, say: printError, stop: () => {} }
  return process.stderr.isTTY ? movingBar() : tenths()
}

function movingBar(): ProgressBar {
  const bars = new cliProgress.MultiBar({
    format: '{bar} {percentage}%  {amount}  {rate}  ETA {eta_formatted}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 30,
    etaBuffer: 100,
    stream: process.stderr,
    hideCursor: true,
    // Signals are send's own business.
    gracefulExit: false,
  })
  let bar: cliProgress.SingleBar | undefined
  let rateOf = averageRate(0)
  return {
    update(sent, total) {
      if (!bar) {
        rateOf = averageRate(sent)
        // An empty file would be 0 of 0, and never be done.
        bar = bars.create(Math.max(total, 1), sent, { amount: '', rate: '' })
      }
      bar.update(total === 0 ? 1 : sent, {
        amount: `${readable(sent)} of ${readable(total)}`,
        rate: `${readable(rateOf(sent))}/s`,
      })
    },
    say: (line) => (bar ? bars.log(`${line}\n`) : printError(line)),
    stop: () => bars.stop(),
  }
}

function tenths(): ProgressBar {
  let told = 0
  return {
    update(sent, total) {
      const tenth = total === 0 ? 0 : Math.floor((sent * 10) / total)
      if (tenth <= told) return
      told = tenth
      printError(`${tenth * 10}% ${readable(sent)} of ${readable(total)}`)
    },
    say: printError,
    stop: () => {},
  }
}

/** Bytes per second since now, of what comes beyond `from`. */
export function averageRate(from: number): (sent: number) => number {
  const started = performance.now()
  return (sent) => (Math.max(sent - from, 0) * 1000) / Math.max(performance.now() - started, 1)
}
