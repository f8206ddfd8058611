import { readdirSync, readFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'

/** Resources that a server process has used so far. */
export interface Usage {
  /** Seconds of CPU time of all its threads, user and system. */
  readonly cpu: number
  /** Peak resident memory in bytes. */
  readonly peak: number
  /** Duration in seconds of the longest event-loop turn since the last query; 0 if it is not measured. */
  readonly longestTurn: number
}

/** Milliseconds between two checks of the event loop. */
const RESOLUTION = 1
/** Set by the benchmark where turns are measured: a thousand checks per second use CPU time themselves. */
const delays =
  process.env.BENCH_EVENT_LOOP === undefined ? undefined : monitorEventLoopDelay({ resolution: RESOLUTION })

/** Reports to the benchmark where this server listens, and answers each of its messages with the usage so far. */
export function reportUsage(port: number): void {
  delays?.enable()
  process.on('message', () => {
    process.send?.(usage())
    delays?.reset()
  })
  process.on('disconnect', () => process.exit())
  process.send?.({ port })
}

function usage(): Usage {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage()
  return {
    cpu: cpuOfThreads() ?? (userCPUTime + systemCPUTime) / 1e6,
    peak: peakOfThisProgram() ?? maxRSS * 1024,
    longestTurn: delays ? Math.max(0, delays.max / 1e9 - RESOLUTION / 1000) : 0,
  }
}

/** Linux counts nanoseconds for each thread, and `resourceUsage()` only ticks of 4 ms on many machines. */
function cpuOfThreads(): number | undefined {
  try {
    const threads = readdirSync('/proc/self/task')
    const nanoseconds = threads.map((id) =>
      Number(readFileSync(`/proc/self/task/${id}/schedstat`, 'utf8').split(' ')[0]),
    )
    return nanoseconds.reduce((sum, one) => sum + one, 0) / 1e9
  } catch {
    return undefined
  }
}

/** On Linux, `maxRSS` starts at the value of the parent process, so read the process's own figure instead. */
function peakOfThisProgram(): number | undefined {
  if (process.platform !== 'linux') return undefined
  const match = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))
  return match ? Number(match[1]) * 1024 : undefined
}
