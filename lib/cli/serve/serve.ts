import { Server as TlsServer } from 'node:https'
import type { Command } from 'commander'
import { bitsUpload } from 'express-bits-upload'
import { defined } from '../../util/objects.js'
import { allSettledOrThrow } from '../../util/promises.js'
import { EXIT } from '../output.js'
import { printError } from '../say.js'
import { listenForSignals, surviveHangup } from '../signals.js'
import { AccessControl, checkPageAccess } from './access.js'
import { logHeader } from './access-log.js'
import { createApp } from './app.js'
import type { IdentifyUser } from './authenticate.js'
import type { DirectoryConfig } from './config/directory-config.js'
import { checkSeparate } from './directories/check-separate.js'
import {
  type ConfiguredDirectory,
  configureDirectory,
  namingDirectory,
  type RunningDirectory,
} from './directories/configured-directory.js'
import type { ServeFlags } from './flags.js'
import { Draining } from './graceful-shutdown.js'
import { printGreeting } from './greeting.js'
import { createServerFor, listen } from './listen.js'
import { openLog } from './log-file.js'
import { logger } from './logger.js'
import { authenticateByTicket } from './negotiate.js'
import { describeOptions } from './options-in-force.js'
import { HtpasswdFile } from './passwords/htpasswd-file.js'
import { StalledRequests } from './stalled-requests.js'
import { CertificateReload } from './tls/reload.js'
import { checkTlsFlags, readTls, type TlsSettings, tlsFiles, usesTls } from './tls/tls-options.js'

/** Milliseconds that deliveries may take to end once their connections are cut. */
const LAST_WAIT = 2000

/**
 * Serves until a signal arrives.
 *
 * @param flags of the server as a whole.
 * @returns the exit code.
 * @throws CliError when it cannot start.
 */
export async function serve(
  configs: readonly DirectoryConfig[],
  flags: ServeFlags,
  command: Command,
): Promise<number> {
  const directories: ConfiguredDirectory[] = []
  try {
    for (const config of configs) directories.push(await configureDirectory(config))
    await checkSeparate(directories, flags)
    checkTlsFlags(flags)
    checkPageAccess(
      flags,
      directories.map((directory) => directory.flags),
    )
    const tls = usesTls(flags) ? await readTls(flags) : undefined
    for (const warning of tls?.warnings ?? []) printError(`warning: ${warning}`)
    if (flags.check) return await check(directories, flags, command)
    return await run(directories, tls, flags)
  } finally {
    for (const { stores } of directories) stores.close()
  }
}

async function run(
  directories: readonly ConfiguredDirectory[],
  tls: TlsSettings | undefined,
  flags: ServeFlags,
): Promise<number> {
  const access = new AccessControl()
  const authenticate = await access.of(flags)
  const authenticators = new Map<ConfiguredDirectory, IdentifyUser | undefined>()
  for (const directory of directories)
    authenticators.set(directory, await namingDirectory(directory, () => access.of(directory.flags)))
  for (const directory of directories) await namingDirectory(directory, () => directory.stores.open())
  const log = await openLog(flags.logFormat === 'none' ? '-' : flags.accessLog, () =>
    logHeader(flags.logFormat),
  )
  const running = directories.map((directory) => startUploads(directory, authenticators.get(directory)))
  const stop = listenForSignals()
  surviveHangup()
  let reload: { close(): void } | undefined
  try {
    const draining = new Draining()
    const stalled = new StalledRequests(flags.idleTimeout, ({ socket, method }) => {
      if (flags.verbose) printError(`Ended a stalled ${method} from ${socket.remoteAddress}.`)
    })
    const first = [draining.middleware, stalled.middleware]
    const { app, dashboard } = createApp({ directories: running, authenticate, log, first }, flags)
    const ownFlags = directories.map((directory) => directory.flags)
    const server = createServerFor(app, flags, tls, ownFlags)
    reload = server instanceof TlsServer ? reloadTls(server, flags) : undefined
    draining.watch(server)
    const origin = await listen(server, flags)
    printGreeting(origin, directories, flags)
    await aborted(stop.signal)
    printError('Stopping: running requests may finish.')
    dashboard?.close()
    await access.close()
    // From now on packets are answered 503; running ones may finish.
    const closed = closeAll(running)
    const cut = await draining.stop(server, flags.grace)
    if (cut > 0) printError(`warning: ${cut} requests took longer than ${flags.grace} s and were cut.`)
    for (const { program } of directories) program?.close()
    await Promise.race([closed, new Promise((done) => setTimeout(done, LAST_WAIT).unref())])
    const later = directories.some(({ stores }) => stores.forgetsSessions)
      ? 'start over.'
      : 'continue at the next start.'
    printError(`Stopped. Unfinished uploads ${later}`)
    return EXIT.done
  } catch (error) {
    for (const { program } of directories) program?.close()
    await closeAll(running)
    throw error
  } finally {
    reload?.close()
    await log.close()
  }
}

function startUploads(
  directory: ConfiguredDirectory,
  authenticate: IdentifyUser | undefined,
): RunningDirectory {
  const { stores, options, flags } = directory
  const bits = bitsUpload({
    ...options,
    ...defined({ user: authenticate }),
    logger: logger(flags.verbose === true),
  })
  return { ...directory, ...defined({ directory: stores.directory }), authenticate, bits }
}

const closeAll = (running: readonly RunningDirectory[]): Promise<void> =>
  allSettledOrThrow(running.map(({ bits }) => bits.close()))

/** Until closed, it reloads the server's certificate on SIGHUP and when the files change. */
function reloadTls(server: TlsServer, flags: ServeFlags): { close(): void } {
  const reload = new CertificateReload(server, {
    files: tlsFiles(flags),
    read: () => readTls(flags),
    log: printError,
  })
  process.on('SIGHUP', reload.now)
  return {
    close: () => {
      process.off('SIGHUP', reload.now)
      reload.close()
    },
  }
}

/** Finds problems that would keep the server from starting, without changing anything. */
async function check(
  directories: readonly ConfiguredDirectory[],
  flags: ServeFlags,
  command: Command,
): Promise<number> {
  await checkAccessFiles(flags)
  for (const directory of directories)
    await namingDirectory(directory, () => checkAccessFiles(directory.flags))
  process.stdout.write(describeOptions(directories, command, flags))
  return EXIT.done
}

async function checkAccessFiles(flags: ServeFlags): Promise<void> {
  if (flags.htpasswd !== undefined) await HtpasswdFile.open(flags.htpasswd)
  if (flags.negotiate) await authenticateByTicket(flags)
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
