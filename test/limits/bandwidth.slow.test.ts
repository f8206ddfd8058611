import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { PassThrough, pipeline } from 'node:stream'
import { beforeAll, describe, expect, test } from '@jest/globals'
import { type BitsUploadOptions, MemoryStorage, type StagedUpload } from 'express-bits-upload'
import { pause } from '../delivery/support.js'
import { expectAck } from '../support/expect-ack.js'
import { fixtures } from '../support/fixtures.js'
import { cancelSession, fragment, openSession, RawConnection } from '../support/raw.js'
import { type Running, serve } from '../support/serve.js'
import { contentOf, KB } from '../support/upload-fixture.js'

const { start, connect } = fixtures()

interface Arrival {
  /** Milliseconds. */
  readonly at: number
  readonly bytes: number
  readonly destination: string
}

/** Records when bytes arrive at the storage. */
class ClockedStorage extends MemoryStorage {
  readonly arrivals: Arrival[] = []

  override append(
    upload: StagedUpload,
    offset: number,
    body: Readable,
    signal: AbortSignal,
  ): Promise<number> {
    const watched = new PassThrough()
    watched.on('data', (chunk: Buffer) => {
      this.arrivals.push({ at: performance.now(), bytes: chunk.length, destination: upload.destination })
    })
    pipeline(body, watched, () => {})
    return super.append(upload, offset, watched, signal)
  }
}

interface Stall {
  readonly at: number
  /** Milliseconds. */
  readonly length: number
}

/**
 * Detects when this process did not run for longer than the limiter can compensate: it is not to blame for a busy
 * machine.
 */
function watchForStalls(): { stalls: Stall[]; stop(): void } {
  const stalls: Stall[] = []
  let before = performance.now()
  const timer = setInterval(() => {
    const at = performance.now()
    if (at - before > 100) stalls.push({ at, length: at - before - 100 })
    before = at
  }, 10)
  return { stalls, stop: () => clearInterval(timer) }
}

const stalled = (stalls: readonly Stall[], from: number, to: number): number =>
  stalls.filter(({ at }) => at > from && at <= to).reduce((sum, { length }) => sum + length, 0)

/** Bytes per second, from the first arrival to the last, without the stalls in between. */
function rateOf(arrivals: readonly Arrival[], stalls: readonly Stall[] = []): number {
  const [first, last] = [arrivals[0], arrivals.at(-1)]
  if (!first || !last) throw new Error('Nothing arrived.')
  const bytes = arrivals.reduce((sum, arrival) => sum + arrival.bytes, 0) - first.bytes
  return (bytes * 1000) / (last.at - first.at - stalled(stalls, first.at, last.at))
}

/** The maximum number of bytes that arrived within a second. */
function fullestSecond(arrivals: readonly Arrival[]): number {
  return Math.max(
    ...arrivals.map(({ at }) =>
      arrivals
        .filter((other) => other.at >= at && other.at < at + 1000)
        .reduce((sum, other) => sum + other.bytes, 0),
    ),
  )
}

/** The longest time without arrivals in milliseconds, not counting stalls. */
const longestGap = (arrivals: readonly Arrival[], stalls: readonly Stall[]): number =>
  Math.max(
    ...arrivals.slice(1).map(({ at }, n) => {
      const before = arrivals[n]?.at ?? 0
      return at - before - stalled(stalls, before, at)
    }),
  )

async function uploadTo(running: Running, name: string, file: Buffer, pieces = 1): Promise<void> {
  const connection = await RawConnection.open(running.port)
  const path = `/uploads/${name}`
  const id = await openSession(connection, path)
  const size = Math.ceil(file.length / pieces)
  for (let first = 0; first < file.length; first += size) {
    const last = Math.min(first + size, file.length) - 1
    const ack = await connection.exchange(fragment(path, id, file, first, last))
    expectAck(ack, { status: 200, session: id, offset: last + 1 })
  }
  connection.end()
}

interface Scenario {
  readonly maxBandwidth: NonNullable<BitsUploadOptions['maxBandwidth']>
  /** Expected bytes per second in total. */
  readonly wanted: number
  readonly sessions?: number
  readonly pieces?: number
  /** Bytes per session. Default: 500 KB. */
  readonly size?: number
}

const SCENARIOS: Record<string, Scenario> = {
  'in all': { maxBandwidth: 200 * KB, wanted: 200 * KB },
  'per session': { maxBandwidth: { perSession: 200 * KB }, wanted: 200 * KB },
  'per session and, more, in all': {
    maxBandwidth: { perSession: 200 * KB, total: 1000 * KB },
    wanted: 200 * KB,
  },
  'per session and, less, in all': {
    maxBandwidth: { perSession: 1000 * KB, total: 200 * KB },
    wanted: 200 * KB,
  },
  'in all, of four sessions': { maxBandwidth: 400 * KB, wanted: 400 * KB, sessions: 4, size: 250 * KB },
  'per session, of four sessions': {
    maxBandwidth: { perSession: 100 * KB },
    wanted: 400 * KB,
    sessions: 4,
    size: 250 * KB,
  },
  'per session and in all, of four sessions': {
    maxBandwidth: { perSession: 200 * KB, total: 400 * KB },
    wanted: 400 * KB,
    sessions: 4,
    size: 250 * KB,
  },
  'in all, of many fragments': { maxBandwidth: 200 * KB, wanted: 200 * KB, pieces: 20 },
  'of 4 MB per second': { maxBandwidth: 4000 * KB, wanted: 4000 * KB, size: 8000 * KB },
}
const NAMES = Object.keys(SCENARIOS)

const LARGE = contentOf(8000 * KB)
const fileOf = ({ size = 500 * KB }: Pick<Scenario, 'size'>): Buffer => LARGE.subarray(0, size)

describe('maxBandwidth', () => {
  const storages = new Map<string, ClockedStorage>()
  let stalls: readonly Stall[] = []

  // A busy machine may delay the whole process beyond the bounds, but not repeatedly.
  beforeAll(async () => {
    for (let tries = 0; tries < 3; tries++) {
      await measure()
      if (NAMES.every((name) => longestGap(arrivals(name), stalls) < 500)) return
    }
  })

  // Concurrent, because each scenario takes two and a half seconds.
  const measure = async () => {
    const watch = watchForStalls()
    await Promise.all(
      Object.entries(SCENARIOS).map(async ([name, scenario]) => {
        const { maxBandwidth, sessions = 1, pieces = 1 } = scenario
        const storage = new ClockedStorage()
        storages.set(name, storage)
        const running = await serve({ storage, maxBandwidth })
        const file = fileOf(scenario)
        await Promise.all(
          Array.from({ length: sessions }, (_, n) => uploadTo(running, `${n}.bin`, file, pieces)),
        )
        await running.stop()
      }),
    )
    watch.stop()
    stalls = watch.stalls
  }

  const arrivals = (name: string) => storages.get(name)?.arrivals ?? []
  const wanted = (name: string) => SCENARIOS[name]?.wanted ?? 0

  test.each(NAMES)('%s is kept to within 15 percent', (name) => {
    expect(rateOf(arrivals(name), stalls) / wanted(name)).toBeGreaterThan(0.85)
    expect(rateOf(arrivals(name)) / wanted(name)).toBeLessThan(1.15)
  })

  test.each(NAMES)('%s flows smoothly', (name) => {
    expect(fullestSecond(arrivals(name))).toBeLessThan(1.3 * wanted(name))
    expect(longestGap(arrivals(name), stalls)).toBeLessThan(700)
  })

  test.each(NAMES)('%s changes no byte', (name) => {
    const contents = [...(storages.get(name)?.files.values() ?? [])]
    const { sessions = 1, ...scenario }: Partial<Scenario> = SCENARIOS[name] ?? {}
    expect(contents).toHaveLength(sessions)
    for (const content of contents) expect(content.equals(fileOf(scenario))).toBe(true)
  })

  test.each(NAMES.filter((name) => name.includes('four')))('%s: each gets its share', (name) => {
    const sessions = ['0', '1', '2', '3'].map((n) =>
      arrivals(name).filter(({ destination }) => destination === `${n}.bin`),
    )
    const firstEnd = Math.min(...sessions.map((each) => each.at(-1)?.at ?? 0))
    // If they took turns, one would be complete before the next one had more than a few chunks.
    for (const each of sessions) {
      const received = each.filter(({ at }) => at <= firstEnd).reduce((sum, { bytes }) => sum + bytes, 0)
      expect(received).toBeGreaterThan(fileOf(SCENARIOS[name] ?? {}).length / 3)
    }
  })
})

describe('an upload at a limited rate', () => {
  const path = '/uploads/file.bin'

  test('whose client disconnects leaves nothing hanging, and resumes where its bytes ended', async () => {
    const storage = new MemoryStorage()
    const running = await start({ storage, maxBandwidth: 100 * KB })
    const first = await connect(running)
    const id = await openSession(first, path)
    first.write(fragment(path, id, LARGE))
    await pause(300)
    first.reset()
    const second = await connect(running)
    const asked = Date.now()
    const ack = await second.exchange(fragment(path, id, LARGE, LARGE.length - 10))
    expect(Date.now() - asked).toBeLessThan(1000)
    expect(ack.status).toBe(416)
    const offset = Number(ack.header('BITS-Received-Content-Range'))
    expect(offset).toBeGreaterThan(0)
    expect(offset).toBeLessThan(100 * KB)
    const stopped = Date.now()
    await running.stop()
    expect(Date.now() - stopped).toBeLessThan(1000)
  })

  test('whose first bytes were already received is also limited for those', async () => {
    const running = await start({ storage: new MemoryStorage(), maxBandwidth: 200 * KB })
    const connection = await connect(running)
    const id = await openSession(connection, '/uploads/a')
    const file = contentOf(100 * KB + 1)
    await connection.exchange(fragment('/uploads/a', id, file, 0, 100 * KB - 1))
    const begin = performance.now()
    const ack = await connection.exchange(fragment('/uploads/a', id, file))
    expectAck(ack, { status: 200, session: id, offset: file.length })
    expect(performance.now() - begin).toBeGreaterThan(300)
  })

  test('that is preempted stops immediately', async () => {
    const running = await start({ storage: new MemoryStorage(), maxBandwidth: 100 * KB })
    const [first, second] = [await connect(running), await connect(running)]
    const id = await openSession(first, path)
    first.write(fragment(path, id, LARGE))
    await pause(300)
    const asked = Date.now()
    expectAck(await second.exchange(cancelSession(path, id)), { status: 200, session: id })
    expect(Date.now() - asked).toBeLessThan(1000)
    await first.closed()
  })

  test('of one byte per second ends as soon as no client waits for it', async () => {
    const running = await start({ storage: new MemoryStorage(), maxBandwidth: { perSession: 1 } })
    const connection = await connect(running)
    const id = await openSession(connection, path)
    connection.write(fragment(path, id, LARGE))
    await pause(50)
    connection.reset()
    const stopped = Date.now()
    await running.stop()
    expect(Date.now() - stopped).toBeLessThan(1000)
  })

  test('waits in the client, not in memory', async () => {
    const storage = new ClockedStorage()
    const running = await start({ storage, maxBandwidth: 100 * KB })
    const sockets: Socket[] = []
    running.server.on('connection', (socket) => sockets.push(socket))
    const connection = await connect(running)
    const id = await openSession(connection, path)
    connection.write(fragment(path, id, LARGE))
    await pause(500)
    // The capacity of Node's streams and of the pieces in transit, out of 8 MB.
    expect(sockets[0]?.bytesRead ?? Number.POSITIVE_INFINITY).toBeLessThan(500 * KB)
    expect(connection.socket.writableLength).toBeGreaterThan(1000 * KB)
  })
})

test.each([
  Number.POSITIVE_INFINITY,
  1e300,
  { perSession: Number.POSITIVE_INFINITY },
  { perSession: 1e300 },
  {},
])('maxBandwidth may be %j, which means no limit', async (maxBandwidth) => {
  const running = await start({ storage: new MemoryStorage(), maxBandwidth })
  await uploadTo(running, 'file.bin', contentOf(1000 * KB))
})

test.each([0, -1, Number.NaN, '100', { perSession: 0 }, { total: 'x' }, { each: 5 }, null])(
  'maxBandwidth cannot be %j',
  async (value) => {
    const options = { storage: new MemoryStorage(), maxBandwidth: value } as BitsUploadOptions
    await expect(start(options)).rejects.toThrow(/the option maxBandwidth is .*bytes per second/)
  },
)
