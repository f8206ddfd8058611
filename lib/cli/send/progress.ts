import cliProgress from 'cli-progress'
import { printError } from '../say.js'

/** Formats a number of bytes: `67108864` becomes `64.0 MiB`. */
export function readable(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB']
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), units.length - 1)
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`
}

/** Shows the progress of one upload. */
export interface ProgressBar {
  update(sent: number, total: number): void
  /** Prints a line without breaking the bar. */
  say(line: string): void
  /** Leaves the bar as it is; more lines may follow. */
  stop(): void
}

/** Shows a bar in a terminal, and a line for every 10% elsewhere; when quiet, only the lines passed to `say`. */
export function startProgress(quiet: boolean): ProgressBar {
  if (quiet) return { update: () => {}, say: printError, stop: () => {} }
  return process.stderr.isTTY ? movingBar() : tenths()
}

function movingBar(): ProgressBar {
  const bars = new cliProgress.MultiBar({
    format: '{bar} {percentage}%  {amount}{pace}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 30,
    stream: process.stderr,
    hideCursor: true,
    // send handles signals itself.
    gracefulExit: false,
  })
  let bar: cliProgress.SingleBar | undefined
  let stopped = false
  let pace = paceFrom(0)
  return {
    update(sent, total) {
      if (!bar) {
        pace = paceFrom(sent)
        // An empty file would be 0 of 0 bytes, which is never complete.
        bar = bars.create(Math.max(total, 1), sent, { amount: '', pace: '' })
      }
      bar.update(total === 0 ? 1 : sent, {
        amount: `${readable(sent)} of ${readable(total)}`,
        pace: pace(sent, total),
      })
    },
    // A stopped bar would never print the line.
    say: (line) => (bar && !stopped ? bars.log(`${line}\n`) : printError(line)),
    stop() {
      if (!bar || stopped) return
      stopped = true
      // Prints the lines that wait for the next redraw.
      bars.update()
      bars.stop()
    },
  }
}

function tenths(): ProgressBar {
  let last = 0
  return {
    update(sent, total) {
      const tenth = total === 0 ? 0 : Math.floor((sent * 10) / total)
      if (tenth <= last) return
      last = tenth
      printError(`${tenth * 10}% ${readable(sent)} of ${readable(total)}`)
    },
    say: printError,
    stop: () => {},
  }
}

/** Milliseconds before a rate is shown: the first bytes only fill buffers on this machine. */
const WARM_UP = 1000

/** Rate and remaining time, once they are meaningful. */
function paceFrom(start: number): (sent: number, total: number) => string {
  const began = performance.now()
  const rateOf = averageRate(start)
  return (sent, total) => {
    const rate = rateOf(sent)
    if (performance.now() - began < WARM_UP || rate === 0) return ''
    return `  ${readable(rate)}/s  ETA ${formatDuration((total - sent) / rate)}`
  }
}

/** `9s`, `3m05s`, `2h03m` */
export function formatDuration(seconds: number): string {
  const whole = Math.ceil(seconds)
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0')
  if (whole < 60) return `${whole}s`
  return whole < 3600
    ? `${Math.floor(whole / 60)}m${two(whole % 60)}s`
    : `${Math.floor(whole / 3600)}h${two((whole % 3600) / 60)}m`
}

/** Measures, from now on, the average rate of the bytes sent beyond `from`, in bytes per second. */
export function averageRate(from: number): (sent: number) => number {
  const started = performance.now()
  return (sent) => (Math.max(sent - from, 0) * 1000) / Math.max(performance.now() - started, 1)
}
