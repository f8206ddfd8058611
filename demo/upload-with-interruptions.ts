import { setTimeout as sleep } from 'node:timers/promises'
import type { BitsUpload } from 'express-bits-upload'
import { uploadFile } from 'express-bits-upload/client'
import type { CuttableConnection } from './cut-connection.js'
import type { Scenario } from './scenario.js'
import { mib, say, startBar } from './terminal.js'

/** @returns the number of sessions used: one, if the upload was always resumed where it stopped. */
export async function uploadWithInterruptions(scenario: Scenario, line: CuttableConnection): Promise<number> {
  const { file, name, credentials } = scenario
  const bar = startBar(file.size)
  const sessions = new Set<string>()
  const failed = new AbortController()
  const happening: Promise<void>[] = []
  const trouble = [
    { at: file.size * 0.4, happen: cutConnection },
    { at: file.size * 0.7, happen: restartServer },
  ]

  async function cutConnection(): Promise<void> {
    line.cut()
    say('  The connection is cut, in the middle of a fragment.')
    // Wait until the server has stored all bytes that it received.
    await sleep(100)
    say(`  The server keeps what has arrived: ${await held(scenario.server.bits, name)}.`)
  }

  async function restartServer(): Promise<void> {
    say('  The server stops, and starts again.')
    const { bits } = await scenario.restart()
    say(`  It knows the session from before, and holds ${await held(bits, name)}.`)
  }

  try {
    await uploadFile(file.path, `http://${credentials}@127.0.0.1:${line.port}/uploads/${name}`, {
      minRetryDelay: 400,
      signal: AbortSignal.any([scenario.signal, failed.signal]),
      onState: ({ sessionId }) => sessions.add(sessionId),
      onProgress({ sent }) {
        bar.update(sent)
        if (!trouble[0] || sent <= trouble[0].at) return
        const next = trouble.shift()
        if (next) happening.push(next.happen().catch((error: unknown) => failed.abort(error)))
      },
      onFailure({ delay }) {
        if (delay === undefined) return
        say(`  The client lost its connection, and tries again in ${(delay / 1000).toFixed(1)} s.`)
      },
    })
  } finally {
    await Promise.all(happening)
    bar.stop()
  }
  failed.signal.throwIfAborted()
  return sessions.size
}

async function held(bits: BitsUpload, name: string): Promise<string> {
  const sessions = await bits.sessions()
  const session = sessions.find(({ destination }) => destination === name)
  return mib(session?.received ?? 0)
}
