import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, test } from '@jest/globals'
import { MemoryStorage } from 'express-bits-upload'
import { PacketTurns } from '../../lib/util/packet-turns.js'
import { packet, RawConnection } from '../support/raw.js'
import { serve } from '../support/serve.js'

describe('packets that arrive in one turn of the event loop', () => {
  test('begin at once during its first millisecond', () => {
    let now = 1000
    const turns = new PacketTurns(() => now)
    expect(turns.next()).toBe(undefined)
    now += 0.9
    expect(turns.next()).toBe(undefined)
    now += 0.1
    expect(turns.next()).toBeInstanceOf(Promise)
  })

  test('begin at once in a new turn', async () => {
    let now = 1000
    const turns = new PacketTurns(() => now)
    expect(turns.next()).toBe(undefined)
    now += 5
    await nextTurn()
    expect(turns.next()).toBe(undefined)
  })

  test('otherwise begin in later turns, in order, before those that arrive meanwhile', async () => {
    let now = 1000
    const turns = new PacketTurns(() => now)
    expect(turns.next()).toBe(undefined)
    now += 5
    const begun: number[] = []
    const add = (number: number, milliseconds: number) =>
      void turns.next()?.then(() => {
        begun.push(number)
        now += milliseconds
      })
    add(1, 0.75)
    add(2, 0.75)
    add(3, 5)
    expect(begun).toEqual([])
    await nextTurn()
    expect(begun).toEqual([1, 2])
    add(4, 0)
    await nextTurn()
    expect(begun).toEqual([1, 2, 3])
    await nextTurn()
    expect(begun).toEqual([1, 2, 3, 4])
    await nextTurn()
    expect(turns.next()).toBe(undefined)
  })
})

test('thousands of waiting packets all begin, in order, and the number of checks grows with their number only', async () => {
  let checks = 0
  let now = 1000
  const turns = new PacketTurns(() => {
    checks++
    return now
  })
  expect(turns.next()).toBe(undefined)
  now += 5
  const begun: number[] = []
  const all = Array.from({ length: 5000 }, (_, number) =>
    turns.next()?.then(() => {
      begun.push(number)
      // Two fit into a turn.
      now += 0.75
    }),
  )
  await Promise.all(all)
  expect(begun).toEqual(Array.from({ length: 5000 }, (_, number) => number))
  expect(checks).toBeLessThan(5000 * 20)
})

test('other work has its turn between packets that arrive together', async () => {
  let turn = 0
  let isOver = false
  const turnsOfPackets: number[] = []
  const running = await serve({
    storage: new MemoryStorage(),
    authorize: () => {
      turnsOfPackets.push(turn)
      const end = performance.now() + 3
      while (performance.now() < end) {}
      return true
    },
  })
  const connections = await Promise.all(Array.from({ length: 8 }, () => RawConnection.open(running.port)))
  const pingAll = () =>
    Promise.all(connections.map((connection) => connection.exchange(packet('Ping', '/uploads/a'))))
  // Opens the storage.
  await pingAll()
  turnsOfPackets.length = 0
  const count = () => {
    turn++
    if (!isOver) setImmediate(count)
  }
  count()
  const acks = await pingAll()
  isOver = true
  expect(acks.map(({ status }) => status)).toEqual(Array(8).fill(200))
  expect(new Set(turnsOfPackets).size).toBe(8)
  for (const connection of connections) connection.end()
  await running.stop()
})
