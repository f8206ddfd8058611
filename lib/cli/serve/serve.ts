import { Server as TlsServer } from 'node:https'
import { resolve } from 'node:path'
import type { BitsUploadOptions } from 'express-bits-upload'
import { type BitsUpload, bitsUpload } from 'express-bits-upload'
import { defined } from '../../util/objects.js'
import { namingFlag } from '../option-flags.js'
import { EXIT, usageError } from '../output.js'
import { printError } from '../say.js'
import { listenForSignals } from '../signals.js'
import { createApp } from './app.js'
import { type Authenticate, authenticateBy } from './authenticate.js'
import type { ServeFlags } from './flags.js'
import { Draining } from './graceful-shutdown.js'
import { printGreeting } from './greeting.js'
import { createServerFor, listen } from './listen.js'
import { openLog } from './log-file.js'
import { logger } from './logger.js'
import { HtpasswdFile } from './passwords/htpasswd-file.js'
import { PasswordGate } from './passwords/password-gate.js'
import { PasswordWorkers } from './passwords/password-workers.js'
import { prepareDirectory } from './prepare-directory.js'
import { StalledRequests } from './stalled-requests.js'
import { authenticateByCertificate } from './tls/client-certificate.js'
import { CertificateReload } from './tls/reload.js'
import { checkTlsFlags, readTls, tlsFiles, usesTls } from './tls/tls-options.js'
import { uploadOptions } from './upload-options.js'

/** Milliseconds that deliveries may take to end once their connections are cut. */
const LAST_WAIT = 2000

/**
 * Serves until a signal comes.
 *
 * @returns the exit code.
 * @throws Failure when it cannot start.
 */
export async function serve(directory: string, flags: ServeFlags): Promise<number> {
  if (directory === '')
    throw usageError('the directory has no name (a variable that is not set?): give one, or . for this one.')
  const root = resolve(directory)
  const options = await uploadOptions(root, flags)
  checkTlsFlags(flags)
  const tls = usesTls(flags) ? await readTls(flags) : undefined
  for (const warning of tls?.warnings ?? []) printError(`warning: ${warning}`)
  const { authenticate, close: closeAccess } = await accessOf(flags)
  await prepareDirectory(root, options)
  const log = await openLog(flags.logFormat === 'none' ? '-' : flags.accessLog)
  const bits = createUploads({
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
    const { app, live } = createApp(
      { bits, directory: root, authenticate, log, first: [draining.middleware, stalled.middleware] },
      flags,
    )
    const server = createServerFor(app, flags, tls)
    reload = server instanceof TlsServer ? reloadTls(server, flags) : undefined
    draining.watch(server)
    const origin = await listen(server, flags)
    printGreeting(origin, root, flags)
    await aborted(stop.signal)
    printError('Stopping: running requests may finish.')
    live?.close()
    closeAccess()
    // From now on packets are answered 503; the running ones are waited for.
    const closed = bits.close()
    const cut = await draining.stop(server, flags.grace)
    if (cut > 0) printError(`warning: ${cut} requests took longer than ${flags.grace} s and were cut.`)
    await Promise.race([closed, new Promise((done) => setTimeout(done, LAST_WAIT).unref())])
    printError('Stopped. Unfinished uploads go on at the next start.')
    return EXIT.done
  } catch (error) {
    await bits.close()
    throw error
  } finally {
    reload?.close()
    await log.close()
  }
}

/** Until it is closed, SIGHUP and changed files give the server its new certificate. */
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

interface Access {
  /** Absent when everybody may do everything. */
  readonly authenticate?: Authenticate
  /** Ends the waiting of those who sent a wrong password. */
  close(): void
}

async function accessOf({ htpasswd, realm, trustSessionId, tlsClientCa }: ServeFlags): Promise<Access> {
  if (htpasswd !== undefined && tlsClientCa !== undefined)
    throw usageError('--htpasswd and --tls-client-ca both say who the user is: give one of them.')
  if (htpasswd !== undefined) {
    const users = await HtpasswdFile.open(htpasswd)
    const gate = new PasswordGate(await PasswordWorkers.start())
    return { authenticate: authenticateBy(users, gate, realm), close: () => gate.close() }
  }
  if (trustSessionId)
    throw usageError('--trust-session-id spares clients the password: give --htpasswd, too.')
  if (tlsClientCa !== undefined) return { authenticate: authenticateByCertificate, close: () => {} }
  return { close: () => {} }
}

function createUploads(options: BitsUploadOptions): BitsUpload {
  try {
    return bitsUpload(options)
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
