import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { readArguments } from './arguments.js'
import { runScenario } from './run-scenario.js'
import { makeSampleFile } from './sample-file.js'
import { type RunningServer, type ServerOptions, startServer, startServerSomewhere } from './server.js'
import { showReply } from './show-reply.js'
import { say } from './terminal.js'
import { windowsCommands } from './windows-commands.js'

/** Milliseconds within which the demonstration must finish. */
const SCENARIO_TIMEOUT = 50_000

const stopped = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // `npm` and the terminal may both send it: only the first counts.
  process.on(signal, () => stopped.abort(signal))
}

async function main(): Promise<void> {
  const { once, host, port, directory } = readArguments(process.argv.slice(2))
  const password = randomBytes(16).toString('hex')
  const options: ServerOptions = { directory: resolve(directory), host, port, users: { demo: password } }
  const file = await makeSampleFile(64)
  const stem = `demo-${new Date().toISOString().replace(/\D/g, '').slice(0, 14)}-${process.pid}`
  const [sample, inventory] = [`${stem}.bin`, `${stem}.csv`]
  let server: RunningServer | undefined
  try {
    server = await startServerSomewhere(options)
    introduce(server, options)
    const restart = async () => {
      await server?.stop()
      server = await startServer({ ...options, port: server?.port ?? port })
      return server
    }
    const signal = AbortSignal.any([stopped.signal, AbortSignal.timeout(SCENARIO_TIMEOUT)])
    const credentials = `demo:${password}`
    await runScenario({ server, restart, file, name: sample, credentials, signal })
    say()
    await showReply({ server, name: inventory, credentials, signal })
    say()
    for (const line of windowsCommands(server.origin)) say(line)
    if (host.startsWith('127.')) {
      say('Only this machine can reach it. To let others in: npm start -- --host <address>')
    }
    if (!once) await stay(server)
  } finally {
    await server?.stop()
    await file.remove()
    for (const name of [sample, inventory]) await rm(join(options.directory, name), { force: true })
  }
}

function introduce(server: RunningServer, { directory, port }: ServerOptions): void {
  if (port !== 0 && server.port !== port) say(`Port ${port} is taken: this is port ${server.port}.`)
  say(`Page   ${server.origin}/`)
  say(`Files  ${directory}`)
  say()
}

/** Serves until Ctrl+C. */
async function stay({ origin, bits }: RunningServer): Promise<void> {
  bits.on('session', ({ destination, user }) => say(`${user ?? 'A guest'} uploads ${destination} ...`))
  bits.on('uploaded', ({ destination, size }) =>
    say(`${destination} has arrived: ${size.toLocaleString('en')} bytes.`),
  )
  bits.on('cancelled', ({ destination }) => say(`${destination} was cancelled.`))
  say()
  say(`See it happen at ${origin}/ (Ctrl+C ends the demo and removes its own files).`)
  // Keeps nothing else alive if the server fails.
  await new Promise<void>((resolve) => {
    if (stopped.signal.aborted) resolve()
    else stopped.signal.addEventListener('abort', () => resolve(), { once: true })
  })
  say()
  say('Stopped.')
}

try {
  await main()
} catch (error) {
  process.exitCode = 1
  if (stopped.signal.aborted) {
    process.exitCode = 130
    say()
    say('Stopped before the end.')
  } else {
    console.error(`The demo failed: ${error instanceof Error ? error.message : String(error)}`)
  }
}
