import assert from 'node:assert/strict'
import { inspect } from 'node:util'

/** Milliseconds after which a call counts as hanging. */
const HANGING = 15_000

/** Fails unless a call returned the expected value: `append() returned 3 instead of 6.` */
export function assertAnswer(call: string, actual: unknown, expected: unknown): void {
  assert.deepEqual(actual, expected, `${call} returned ${inspect(actual)} instead of ${inspect(expected)}.`)
}

/** Fails unless both are the same bytes, without showing any of them. */
export function assertBytes(
  actual: Uint8Array | undefined,
  expected: Buffer,
  what = 'The stored data',
): void {
  assert.ok(actual, `${what} is missing.`)
  assert.ok(
    actual.length === expected.length,
    `${what} has ${actual.length} bytes instead of ${expected.length}.`,
  )
  if (expected.equals(actual)) return
  const wrong = expected.findIndex((byte, position) => byte !== actual[position])
  assert.fail(`${what} differs from what was sent, from byte ${wrong} on.`)
}

/** Fails if a call that must not be blocked by others does not return. */
export async function assertAnswers<T>(call: string, when: string, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const hanging = new Promise<never>((_resolve, reject) => {
    const message = `${call} did not return within ${HANGING / 1000} seconds ${when}.`
    timer = setTimeout(() => reject(new assert.AssertionError({ message })), HANGING)
  })
  try {
    return await Promise.race([answer, hanging])
  } finally {
    clearTimeout(timer)
  }
}
