import { Server as TlsServer } from 'node:https'
import type { Command } from 'commander'
import type { BitsUploadOptions } from 'express-bits-upload'
import { bitsUpload } from 'express-bits-upload'
import { checkOptions } from '../../options/checks.js'
import { defined } from '../../util/objects.js'
import { namingFlag } from '../option-flags.js'
import { EXIT, usageError } from '../output.js'
import { printError } from '../say.js'
import { listenForSignals } from '../signals.js'
import { accessOf, checkAccessFlags } from './access.js'
import { logHeader } from './access-log.js'
import { createApp } from './app.js'
import type { ServeFlags } from './flags.js'
import { Draining } from './graceful-shutdown.js'
import { printGreeting } from './greeting.js'
import { createServerFor, listen } from './listen.js'
import { openLog } from './log-file.js'
import { logger } from './logger.js'
import { authenticateByTicket } from './negotiate.js'
import { type OnUploadProgram, onUploadProgram } from './on-upload/on-upload-program.js'
import { describeOptions } from './options-in-force.js'
import { HtpasswdFile } from './passwords/htpasswd-file.js'
import { StalledRequests } from './stalled-requests.js'
import { createStores, type ServeStores } from './stores/stores.js'
import { CertificateReload } from './tls/reload.js'
import { checkTlsFlags, readTls, type TlsSettings, tlsFiles, usesTls } from './tls/tls-options.js'
import { uploadOptions } from './upload-options.js'

/** Milliseconds that deliveries may take to end once their connections are cut. */
const LAST_WAIT = 2000

/**
 * Serves until a signal arrives.
 *
 * @returns the exit code.
 * @throws CliError when it cannot start.
 */
export async function serve(
  directory: string | undefined,
  flags: ServeFlags,
  command: Command,
): Promise<number> {
  const stores = await createStores(directory, flags)
  try {
    const program = await onUploadProgram(flags)
    const options = {
      ...(await uploadOptions(stores, flags)),
      ...defined({ onUpload: program?.onUpload }),
    }
    if (program && options.notification)
      throw usageError(
        '--on-upload and a notification both decide whether to accept a file: give one of them.',
      )
    checkUploadOptions(options)
    checkTlsFlags(flags)
    checkAccessFlags(flags)
    const tls = usesTls(flags) ? await readTls(flags) : undefined
    for (const warning of tls?.warnings ?? []) printError(`warning: ${warning}`)
    if (flags.check) return await check(stores, flags, options, command)
    return await run({ stores, options, program, tls }, flags)
  } finally {
    stores.close()
  }
}

interface ServerParts {
  readonly stores: ServeStores
  readonly options: BitsUploadOptions
  readonly program: OnUploadProgram | undefined
  readonly tls: TlsSettings | undefined
}

async function run({ stores, options, program, tls }: ServerParts, flags: ServeFlags): Promise<number> {
  const { authenticate, close: closeAccess } = await accessOf(flags)
  await stores.open()
  const log = await openLog(flags.logFormat === 'none' ? '-' : flags.accessLog, () =>
    logHeader(flags.logFormat),
  )
  const bits = bitsUpload({
    ...options,
    ...defined({ user: authenticate }),
    logger: logger(flags.verbose === true),
  })
  const stop = listenForSignals()
  let reload: { close(): void } | undefined
  try {
    const draining = new Draining()
    const stalled = new StalledRequests(flags.idleTimeout, ({ socket, method }) => {
      if (flags.verbose) printError(`Ended a stalled ${method} from ${socket.remoteAddress}.`)
    })
    const { directory } = stores
    const { app, dashboard } = createApp(
      { bits, directory, authenticate, log, first: [draining.middleware, stalled.middleware] },
      flags,
    )
    const server = createServerFor(app, flags, tls)
    reload = server instanceof TlsServer ? reloadTls(server, flags) : undefined
    draining.watch(server)
    const origin = await listen(server, flags)
    printGreeting(origin, stores, flags)
    await aborted(stop.signal)
    printError('Stopping: running requests may finish.')
    dashboard?.close()
    closeAccess()
    // From now on packets are answered 503; running ones may finish.
    const closed = bits.close()
    const cut = await draining.stop(server, flags.grace)
    if (cut > 0) printError(`warning: ${cut} requests took longer than ${flags.grace} s and were cut.`)
    program?.close()
    await Promise.race([closed, new Promise((done) => setTimeout(done, LAST_WAIT).unref())])
    const later = stores.forgetsSessions ? 'start over.' : 'continue at the next start.'
    printError(`Stopped. Unfinished uploads ${later}`)
    return EXIT.done
  } catch (error) {
    program?.close()
    await bits.close()
    throw error
  } finally {
    reload?.close()
    await log.close()
  }
}

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
  { directory }: ServeStores,
  flags: ServeFlags,
  options: BitsUploadOptions,
  command: Command,
): Promise<number> {
  if (flags.htpasswd !== undefined) await HtpasswdFile.open(flags.htpasswd)
  if (flags.negotiate) await authenticateByTicket(flags)
  process.stdout.write(describeOptions(directory, command, flags, options))
  return EXIT.done
}

/** Before anything is created on the disk. @throws CliError that names the flag. */
function checkUploadOptions(options: BitsUploadOptions): void {
  try {
    checkOptions(options)
  } catch (error) {
    throw namingFlag(error)
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
