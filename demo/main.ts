import { randomBytes } from 'node:crypto'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readArguments } from './arguments.js'
import { Demonstration } from './demonstration.js'
import { DEMO_USER, narrate } from './narrate.js'
import { type RunningServer, type ServerOptions, startServer, startServerSomewhere } from './server.js'
import { say } from './terminal.js'
import { windowsCommands } from './windows-commands.js'

/** Milliseconds after which the first upload starts even if no page is open. */
const WAIT_FOR_PAGE = 10_000

const stopped = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // Both npm and the terminal may send the signal: only the first one counts.
  process.on(signal, () => stopped.abort(signal))
}

async function main(): Promise<void> {
  const { once, host, port, directory } = readArguments(process.argv.slice(2))
  const password = randomBytes(16).toString('hex')
  const opened = new AbortController()
  const demonstration = new Demonstration({
    directory: resolve(directory),
    credentials: `${DEMO_USER}:${password}`,
    server: () => server,
    async restart() {
      await server.stop()
      server = await startServer({ ...options, port: server.port })
      narrate(server.bits)
      return server
    },
    signal: stopped.signal,
  })
  const options: ServerOptions = {
    directory: resolve(directory),
    host,
    port,
    users: { [DEMO_USER]: password },
    ...(!once && { show: demonstration }),
    onPage: () => opened.abort(),
  }
  let server = await startServerSomewhere(options)
  narrate(server.bits)
  try {
    introduce(server, options)
    if (!once) await waitForPage(server, opened.signal)
    await demonstration.run()
    say()
    for (const line of windowsCommands(server.origin)) say(line)
    if (host.startsWith('127.')) {
      say('Only this machine can reach it. To let others in: npm start -- --host <address>')
    }
    if (!once) await stay(server)
  } finally {
    await demonstration.stop()
    await server.stop()
  }
}

function introduce(server: RunningServer, { directory, port }: ServerOptions): void {
  if (port !== 0 && server.port !== port) say(`Port ${port} is taken: this is port ${server.port}.`)
  say(`Page   ${server.origin}/`)
  say(`Files  ${directory}`)
  say()
}

/** Waits until a page is open, which then shows the upload. */
async function waitForPage({ origin }: RunningServer, opened: AbortSignal): Promise<void> {
  say(`Open ${origin}/ in a browser: an upload starts as soon as the page is open, or in 10 seconds.`)
  const signal = AbortSignal.any([stopped.signal, opened])
  await sleep(WAIT_FOR_PAGE, undefined, { signal }).catch(() => {})
  stopped.signal.throwIfAborted()
  say(opened.aborted ? 'The page is open.' : 'No page is open yet. The upload starts anyway.')
  say()
}

/** Serves until Ctrl+C. */
async function stay({ origin }: RunningServer): Promise<void> {
  say()
  say(`See it happen at ${origin}/ (Ctrl+C ends the demo and removes its own files).`)
  say('"Show an upload" on that page starts another one.')
  // Lets the process exit if the server fails.
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
