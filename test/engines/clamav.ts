import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const CLAMD = '/usr/sbin/clamd'
const CLAMDSCAN = '/usr/bin/clamdscan'

export const hasClamav = (): boolean => existsSync(CLAMD) && existsSync(CLAMDSCAN)

/** A virus scanner with the signatures of a test. */
export interface Scanner {
  /** A directory with a `clamdscan` that uses this scanner. To be added at the front of `PATH`. */
  readonly programs: string
  /** Stops the scanner: files cannot be scanned until {@link start}. */
  stop(): Promise<void>
  start(): Promise<void>
  remove(): Promise<void>
}

/** @param signatures in the format of `.ndb` files. */
export async function startClamav(signatures: string): Promise<Scanner> {
  const folder = await mkdtemp(join(tmpdir(), 'clamav-'))
  const [database, programs] = [join(folder, 'database'), join(folder, 'programs')]
  const [config, socket] = [join(folder, 'clamd.conf'), join(folder, 'clamd.sock')]
  for (const path of [database, programs]) await mkdir(path)
  await writeFile(join(database, 'own.ndb'), signatures)
  await writeFile(config, `LocalSocket ${socket}\nDatabaseDirectory ${database}\nForeground yes\n`)
  const client = `#!/bin/sh\nexec ${CLAMDSCAN} --config-file='${config}' "$@"\n`
  await writeFile(join(programs, 'clamdscan'), client, { mode: 0o755 })
  let daemon: ChildProcess | undefined
  const scanner: Scanner = {
    programs,
    async start() {
      const child = spawn(CLAMD, [`--config-file=${config}`], { stdio: ['ignore', 'pipe', 'pipe'] })
      daemon = child
      let output = ''
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (chunk) => {
          output += String(chunk)
        })
      while (!existsSync(socket)) {
        if (child.exitCode !== null) throw new Error(`clamd ended: ${output}`)
        await delay(50)
      }
    },
    async stop() {
      if (!daemon || daemon.exitCode !== null || daemon.signalCode !== null) return
      const ended = once(daemon, 'exit')
      daemon.kill('SIGTERM')
      await ended
    },
    async remove() {
      await scanner.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
  await scanner.start()
  return scanner
}
