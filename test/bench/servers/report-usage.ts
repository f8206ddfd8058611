import { readFileSync } from 'node:fs'

/** What a server process has used so far. */
export interface Usage {
  /** Seconds of CPU time, of all its threads, user and system. */
  readonly cpu: number
  /** Bytes of memory that were resident at the peak. */
  readonly peak: number
}

/** Tells the benchmark where this server listens, and answers each of its messages with what has been used. */
export function reportUsage(port: number): void {
  process.on('message', () => process.send?.(usage()))
  process.on('disconnect', () => process.exit())
  process.send?.({ port })
}

function usage(): Usage {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage()
  return { cpu: (userCPUTime + systemCPUTime) / 1e6, peak: peakOfThisProgram() ?? maxRSS * 1024 }
}

/** Linux starts `maxRSS` at what the parent process had, so its own figure is asked there. */
function peakOfThisProgram(): number | undefined {
  if (process.platform !== 'linux') return undefined
  const match = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))
  return match ? Number(match[1]) * 1024 : undefined
}
