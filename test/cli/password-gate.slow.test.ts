import { describe, expect, test } from '@jest/globals'
import { addressKey } from '../../lib/cli/serve/passwords/client-address.js'
import {
  type Matcher,
  type PasswordClaim,
  PasswordGate,
} from '../../lib/cli/serve/passwords/password-gate.js'
import { PasswordWorkers } from '../../lib/cli/serve/passwords/password-workers.js'
import { TooBusyError } from '../../lib/cli/serve/passwords/too-busy-error.js'
import { fixtures } from '../support/fixtures.js'

const { afterwards } = fixtures()
const RIGHT = 'right'

/** A matcher that finishes comparisons when the test says so. The right password is {@link RIGHT}. */
class ManualMatcher implements Matcher {
  readonly size: number
  readonly started: string[] = []
  readonly #pending: (() => void)[] = []

  constructor(size = 1) {
    this.size = size
  }

  matches(_hash: string, password: string): Promise<boolean> {
    this.started.push(password)
    return new Promise((resolve) => {
      this.#pending.push(() => resolve(password === RIGHT))
    })
  }

  get running(): number {
    return this.#pending.length
  }

  /** Finishes the comparison that has run longest, and lets the next one start. */
  async finish(): Promise<void> {
    this.#pending.shift()?.()
    await settle()
  }
}

const settle = () => new Promise((resolve) => setImmediate(resolve))

const credentials = (facts: Partial<PasswordClaim>): PasswordClaim => ({
  address: '192.0.2.1',
  user: 'alice',
  password: RIGHT,
  hash: '$hash',
  isKnown: true,
  ...facts,
})

/** Collects the results of checks without waiting for them. */
function outcomes() {
  const list: unknown[] = []
  const note = (check: Promise<unknown>) =>
    void check.then((value) => list.push(value)).catch((error) => list.push(error))
  return { list, note }
}

describe('the password gate', () => {
  test('does not accept a name that is unknown in one file because another file has it with the same hash', async () => {
    const matcher = new ManualMatcher()
    const gate = new PasswordGate(matcher)
    const known = gate.isRight(credentials({ user: 'bob' }))
    await matcher.finish()
    expect(await known).toBe(true)
    const unknown = gate.isRight(credentials({ user: 'bob', isKnown: false }))
    await matcher.finish()
    expect(await unknown).toBe(false)
  })

  test('checks a name and password once a minute, and not again while they are in use', async () => {
    const matcher = new ManualMatcher()
    let now = 0
    const gate = new PasswordGate(matcher, () => now)
    const first = gate.isRight(credentials({}))
    await matcher.finish()
    expect(await first).toBe(true)
    for (let minute = 0; minute < 5; minute += 0.9) {
      now = minute * 60_000
      expect(await gate.isRight(credentials({}))).toBe(true)
    }
    expect(matcher.started).toHaveLength(1)
    now += 60_001
    const later = gate.isRight(credentials({}))
    expect(matcher.started).toHaveLength(2)
    await matcher.finish()
    expect(await later).toBe(true)
  })

  test('treats another hash of the same user as a different pair', async () => {
    const matcher = new ManualMatcher()
    const gate = new PasswordGate(matcher)
    const first = gate.isRight(credentials({}))
    await matcher.finish()
    await first
    void gate.isRight(credentials({ hash: '$changed' }))
    void gate.isRight(credentials({ user: 'bob' }))
    expect(matcher.started).toHaveLength(2)
    await matcher.finish()
    expect(matcher.started).toHaveLength(3)
    await matcher.finish()
  })

  test('checks what several connections send at the same time only once', async () => {
    const matcher = new ManualMatcher(2)
    const gate = new PasswordGate(matcher)
    const checks = Array.from({ length: 10 }, () => gate.isRight(credentials({})))
    await matcher.finish()
    expect(await Promise.all(checks)).toEqual(Array.from({ length: 10 }, () => true))
    expect(matcher.started).toHaveLength(1)
  })

  test('denies an unknown name with the right password of the user whose hash it is checked by', async () => {
    const matcher = new ManualMatcher()
    const check = new PasswordGate(matcher).isRight(credentials({ isKnown: false }))
    await matcher.finish()
    expect(await check).toBe(false)
  })

  test('never runs more comparisons than there are workers', async () => {
    const matcher = new ManualMatcher(3)
    const gate = new PasswordGate(matcher)
    const { note } = outcomes()
    for (let n = 0; n < 20; n++) note(gate.isRight(credentials({ user: `u${n}`, address: `10.0.0.${n}` })))
    for (let n = 0; n < 20; n++) {
      expect(matcher.running).toBe(Math.min(3, 20 - n))
      await matcher.finish()
    }
  })

  test('prefers an address without failures to a hundred with failures', async () => {
    const matcher = new ManualMatcher()
    const gate = new PasswordGate(matcher, () => 0)
    const { note } = outcomes()
    for (let round = 0; round < 2; round++) {
      for (let n = 0; n < 100; n++)
        note(gate.isRight(credentials({ address: `10.0.0.${n}`, password: `guess ${round}.${n}` })))
      if (round === 0) for (let n = 0; n < 100; n++) await matcher.finish()
    }
    // One guess is already being checked.
    const check = gate.isRight(credentials({}))
    await matcher.finish()
    expect(matcher.started.at(-1)).toBe(RIGHT)
    await matcher.finish()
    expect(await check).toBe(true)
  })

  test('prefers the latest request after a crowd without failures', async () => {
    const matcher = new ManualMatcher()
    const gate = new PasswordGate(matcher)
    const { note } = outcomes()
    for (let n = 0; n < 100; n++)
      note(gate.isRight(credentials({ address: `10.0.0.${n}`, password: `${n}` })))
    const check = gate.isRight(credentials({}))
    await matcher.finish()
    await matcher.finish()
    expect(await check).toBe(true)
  })

  test.each([
    ['another name', 'mallory'],
    ['the same name', 'alice'],
  ])(
    'accepts a user immediately from an address from which fifty clients guess passwords for %s',
    async (_, user) => {
      const matcher = new ManualMatcher()
      const gate = new PasswordGate(matcher, () => 0)
      const { note } = outcomes()
      for (let n = 0; n < 50; n++) note(gate.isRight(credentials({ user, password: `guess ${n}` })))
      await matcher.finish()
      await matcher.finish()
      const check = gate.isRight(credentials({}))
      await matcher.finish()
      await matcher.finish()
      expect(await check).toBe(true)
    },
  )

  test('answers later the more wrong passwords an address has sent, but accepts the right one immediately', async () => {
    const matcher = new ManualMatcher()
    const gate = new PasswordGate(matcher, () => 0)
    const delays: number[] = []
    for (const password of ['a', 'b', 'c']) {
      const start = performance.now()
      const check = gate.isRight(credentials({ password }))
      await matcher.finish()
      expect(await check).toBe(false)
      delays.push(performance.now() - start)
    }
    expect(delays[0]).toBeGreaterThanOrEqual(99)
    expect(delays[1]).toBeGreaterThanOrEqual(199)
    expect(delays[2]).toBeGreaterThanOrEqual(399)
    // A repeated guess costs no comparison, but counts all the same.
    const start = performance.now()
    expect(await gate.isRight(credentials({ password: 'a' }))).toBe(false)
    expect(performance.now() - start).toBeGreaterThanOrEqual(799)
    expect(matcher.started).toHaveLength(3)
    const right = performance.now()
    const check = gate.isRight(credentials({}))
    await matcher.finish()
    expect(await check).toBe(true)
    expect(performance.now() - right).toBeLessThan(700)
  })

  test('keeps at most 256 waiting, and refuses those of the address that has the most', async () => {
    const matcher = new ManualMatcher()
    const gate = new PasswordGate(matcher)
    const flood = outcomes()
    const others = outcomes()
    for (let n = 0; n < 20; n++)
      others.note(gate.isRight(credentials({ address: `10.0.0.${n}`, user: `u${n}` })))
    for (let n = 0; n < 1000; n++)
      flood.note(gate.isRight(credentials({ address: '10.9.9.9', password: `${n}` })))
    await settle()
    expect(flood.list).toHaveLength(20 + 1000 - 1 - 256)
    expect(flood.list.every((outcome) => outcome instanceof TooBusyError)).toBe(true)
    expect(others.list).toEqual([])
    while (matcher.running > 0) await matcher.finish()
    expect(others.list).toEqual(Array.from({ length: 20 }, () => true))
  })

  test('drops the check of a client that has disconnected', async () => {
    const matcher = new ManualMatcher()
    const gate = new PasswordGate(matcher)
    const { note, list } = outcomes()
    note(gate.isRight(credentials({ user: 'running' })))
    const gone = new AbortController()
    note(gate.isRight(credentials({ user: 'gone', password: 'x' }), () => gone.signal))
    gone.abort()
    await matcher.finish()
    expect(matcher.running).toBe(0)
    expect(list).toEqual([expect.any(TooBusyError), true])
  })

  test('answers all waiting clients when it is closed', async () => {
    const matcher = new ManualMatcher()
    const gate = new PasswordGate(matcher)
    for (let n = 0; n < 8; n++) {
      const check = gate.isRight(credentials({ password: `${n}` }))
      await matcher.finish()
      if (n === 7) {
        // This answer would take 12.8 s.
        const running = gate.isRight(credentials({}))
        const waiting = expect(gate.isRight(credentials({ user: 'bob' }))).rejects.toThrow(TooBusyError)
        gate.close()
        await waiting
        expect(await check).toBe(false)
        await matcher.finish()
        expect(await running).toBe(true)
      } else void check
    }
  })

  test('denies a password of more than 1,024 bytes without a comparison', async () => {
    const matcher = new ManualMatcher()
    expect(await new PasswordGate(matcher).isRight(credentials({ password: 'x'.repeat(1025) }))).toBe(false)
    expect(matcher.started).toEqual([])
  })

  test('passes on the error of a failed comparison, and continues', async () => {
    let fails = true
    const matcher = {
      size: 1,
      matches: async () => {
        if (fails) throw new Error('The worker ended.')
        return true
      },
    }
    const gate = new PasswordGate(matcher)
    await expect(gate.isRight(credentials({}))).rejects.toThrow('The worker ended.')
    fails = false
    expect(await gate.isRight(credentials({}))).toBe(true)
  })
})

test.each([
  ['127.0.0.1', '127.0.0.1'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:db8:1:2::', '2001:db8:1:2'],
  ['2001:db8::1', '2001:db8:0:0'],
  ['::1', '0:0:0:0'],
  ['fe80::1%eth0', 'fe80:0:0:0'],
])('an address %s counts as %s', (address, key) => {
  expect(addressKey(address)).toBe(key)
})

describe('the password workers', () => {
  const HASH = '$2y$05$DNoAuSiaKq57p9e/AXsF9uLcjPZXSdYxRZT1bu/k2lWiSnWdxNM/K'

  test('compare passwords off the main thread', async () => {
    const workers = await PasswordWorkers.start(2)
    afterwards(() => workers.close())
    expect(await Promise.all([workers.matches(HASH, 'pässwörd €'), workers.matches(HASH, 'x')])).toEqual([
      true,
      false,
    ])
  })

  test('reject unfinished comparisons when they are closed', async () => {
    const workers = await PasswordWorkers.start(1)
    const endless = workers.matches(HASH.replace('$05$', '$31$'), 'x')
    await Promise.all([workers.close(), expect(endless).rejects.toThrow('A password worker ended.')])
  })

  test('continue after one has failed', async () => {
    const workers = await PasswordWorkers.start(1)
    afterwards(() => workers.close())
    // An unexpected message, which ends the thread with an error.
    const notText: string = JSON.parse('{}')
    await expect(workers.matches(HASH, notText)).rejects.toThrow('Illegal arguments')
    expect(await workers.matches(HASH, 'pässwörd €')).toBe(true)
  })
})
