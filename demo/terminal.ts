import cliProgress from 'cli-progress'

/** Prints above the current progress bar; `undefined` while no bar is shown. */
let printAboveBar: ((text: string) => void) | undefined

export const say = (line = ''): void => {
  const text = `${line}\n`
  if (printAboveBar) printAboveBar(text)
  else process.stdout.write(text)
}

/** Formats `67108864` as `64.0 MiB`. */
export const mib = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`

/** A progress bar below the printed lines. */
export interface Bar {
  /** @param bytes of the total. */
  update(bytes: number): void
  stop(): void
}

/** Shows a moving bar in a terminal, and elsewhere a line at each quarter. */
export const startBar = (total: number): Bar => (process.stdout.isTTY ? terminalBar(total) : quarters(total))

function terminalBar(total: number): Bar {
  const bars = new cliProgress.MultiBar({
    format: '  {bar} {percentage}%  {amount}  {rate}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 30,
    fps: 20,
    stream: process.stdout,
    hideCursor: true,
    // The demo handles signals itself.
    gracefulExit: false,
  })
  printAboveBar = (text) => bars.log(text)
  const started = Date.now()
  const bar = bars.create(total, 0, { amount: '', rate: '' })
  return {
    update(bytes) {
      const seconds = (Date.now() - started) / 1000
      // The first bytes only fill the buffers of this machine.
      const rate = seconds < 1 ? '' : `${mib(bytes / seconds)}/s`
      bar.update(bytes, { amount: `${mib(bytes)} of ${mib(total)}`, rate })
    },
    stop() {
      printAboveBar = undefined
      bars.stop()
    },
  }
}

function quarters(total: number): Bar {
  let told = 0
  return {
    update(bytes) {
      const quarter = Math.floor((bytes * 4) / total)
      if (quarter <= told) return
      told = quarter
      say(`  ${quarter * 25}%  ${mib(bytes)} of ${mib(total)}`)
    },
    stop: () => {},
  }
}
