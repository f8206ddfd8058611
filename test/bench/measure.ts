import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Connection } from './connection.js'
import type { Contender, Entry } from './contender.js'
import type { Scenario } from './scenario.js'

/** One contender's figures in one scenario. */
export interface Figures {
  readonly name: string
  /** Units per second: the median of all rounds. */
  readonly rate: number
  /** CPU seconds of the server per `scenario.per`: the mean of all rounds, as short ones are counted in ticks. */
  readonly cpu: number
  /** The minimum of all rounds: on a busy machine other rounds also count what ran in between. */
  readonly leastCpu: number
  /** Peak resident memory in bytes. */
  readonly peak: number
  /** Duration in seconds of the longest event-loop turn: the median of all rounds; 0 if it is not measured. */
  readonly longestTurn: number
  /**
   * The minimum of all rounds: in others, the thread also waited for a processor, or the processor of a virtual machine
   * for its host.
   */
  readonly leastLongestTurn: number
  /** Relative to the first contender: the medians of the ratios per round. */
  readonly rateRatio: number
  readonly cpuRatio: number
}

interface Round {
  readonly seconds: number
  readonly cpu: number
  readonly longestTurn: number
}

/**
 * Runs a scenario with fresh servers: one warm-up round, whose results are checked thoroughly, then `rounds` rounds in
 * which the contenders take turns, so that other load on the machine affects all of them.
 *
 * @param entries the first is what the others are compared with.
 */
export async function measure(
  scenario: Scenario,
  entries: readonly Entry[],
  rounds: number,
  scratch: string,
): Promise<Figures[]> {
  const contenders: Contender[] = []
  try {
    for (const [n, entry] of entries.entries()) {
      const directory = join(scratch, `${scenario.title}-${n}`.replaceAll(/[^\w]+/g, '-'))
      await mkdir(directory, { recursive: true })
      contenders.push(await entry.start(directory))
    }
    const results = contenders.map((): Round[] => [])
    for (let n = -1; n < rounds; n++) {
      for (const [index, contender] of inTurn(contenders, n)) {
        if (n < 0) await prepare(scenario, contender)
        const round = await runOnce(scenario, contender)
        if (!entries[index]?.hasNoFiles) await scenario.check(contender, n < 0)
        if (n >= 0) results[index]?.push(round)
      }
    }
    const [first = []] = results
    return await Promise.all(
      contenders.map(async (contender, index) => {
        const { peak } = await contender.usage()
        return { name: contender.name, peak, ...summary(scenario, results[index] ?? [], first) }
      }),
    )
  } finally {
    for (const contender of contenders) await contender.stop()
  }
}

/** The order alternates, so that no contender always runs after the same other one. */
export function inTurn<Item>(items: readonly Item[], round: number): [number, Item][] {
  const order = [...items.entries()]
  return round % 2 === 0 ? order : order.reverse()
}

async function prepare(scenario: Scenario, contender: Contender): Promise<void> {
  for (const earlier of scenario.after ?? []) {
    await runOnce(earlier, contender)
    await earlier.check(contender, false)
  }
}

async function runOnce(scenario: Scenario, contender: Contender): Promise<Round> {
  const connections: Connection[] = []
  try {
    for (let n = 0; n < scenario.connections; n++) connections.push(await Connection.open(contender.port))
    const before = await contender.usage()
    const start = performance.now()
    await scenario.run(contender, connections)
    const seconds = (performance.now() - start) / 1000
    const after = await contender.usage()
    return { seconds, cpu: after.cpu - before.cpu, longestTurn: after.longestTurn }
  } finally {
    for (const connection of connections) connection.close()
  }
}

function summary({ amount, per }: Scenario, rounds: readonly Round[], first: readonly Round[]) {
  const pairs = rounds.flatMap((round, n) => {
    const other = first[n]
    return other ? [{ rate: other.seconds / round.seconds, cpu: round.cpu / other.cpu }] : []
  })
  const cpu = rounds.reduce((sum, round) => sum + round.cpu, 0) / rounds.length
  const leastCpu = Math.min(...rounds.map((round) => round.cpu))
  return {
    rate: amount / median(rounds.map(({ seconds }) => seconds)),
    cpu: (cpu * per.amount) / amount,
    leastCpu: (leastCpu * per.amount) / amount,
    longestTurn: median(rounds.map((round) => round.longestTurn)),
    leastLongestTurn: Math.min(...rounds.map((round) => round.longestTurn)),
    rateRatio: median(pairs.map(({ rate }) => rate)),
    cpuRatio: median(pairs.map((pair) => pair.cpu)),
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  const upper = sorted[Math.floor(middle)] ?? Number.NaN
  return Number.isInteger(middle) ? ((sorted[middle - 1] ?? Number.NaN) + upper) / 2 : upper
}
