import type { NotificationOptions } from 'express-bits-upload'
import { isNotification, maskUserInfo } from '../../options/notification.js'
import { findWrongHeader } from '../../options/notification-headers.js'
import { MAX_URL } from '../../protocol/limits.js'
import { interval } from '../../validation/value-checks.js'
import { usageError } from '../output.js'
import { type Header, readHeaders } from '../read-files.js'
import type { ServeFlags } from './flags.js'

type NotifyFlags = Pick<ServeFlags, 'notifyUrl' | 'notifyType' | 'notifyTimeout' | 'notifyHeader'>

/**
 * Derives the option `notification`. Flags or IIS properties name the application; the other settings have no IIS
 * property.
 *
 * @returns `undefined` without an application.
 * @throws CliError when flags are wrong, or contradict the IIS properties.
 */
export async function notificationOf(
  flags: NotifyFlags,
  iis: NotificationOptions | undefined,
): Promise<NotificationOptions | undefined> {
  const url = oneOf('--notify-url', flags.notifyUrl, iis?.url)
  const type = oneOf('--notify-type', flags.notifyType, iis?.type) ?? 'by-reference'
  const { notifyTimeout: timeout, notifyHeader } = flags
  if (url === undefined) {
    refuseWithoutUrl(flags)
    return undefined
  }
  // A relative URL would lead to this server, which has no application.
  if (isNotification({ type, url }) !== undefined || !URL.canParse(url)) {
    const source = flags.notifyUrl === undefined ? 'BITSServerNotificationURL' : '--notify-url'
    const shown = JSON.stringify(maskUserInfo(url))
    throw usageError(
      `${source} is ${shown}: use an http: or https: URL of at most ${MAX_URL.toLocaleString('en')} characters.`,
    )
  }
  const late = timeout === undefined ? undefined : interval(timeout)
  if (late !== undefined) throw usageError(`--notify-timeout is ${timeout}: use ${late}.`)
  const headers = notifyHeader && checked(await readHeaders('--notify-header', notifyHeader))
  return { type, url, ...(timeout !== undefined && { timeout }), ...(headers && { headers }) }
}

function oneOf<T>(flag: string, own: T | undefined, iis: T | undefined): T | undefined {
  if (own !== undefined && iis !== undefined && own !== iis)
    throw usageError(`${flag} contradicts the IIS properties: use only one of them.`)
  return own ?? iis
}

function refuseWithoutUrl({ notifyType, notifyTimeout, notifyHeader }: NotifyFlags): void {
  const [flag] = Object.entries({
    '--notify-type': notifyType,
    '--notify-timeout': notifyTimeout,
    '--notify-header': notifyHeader,
  }).find(([, value]) => value !== undefined) ?? [undefined]
  if (flag === undefined) return
  throw usageError(
    `${flag} needs an application to notify: pass its URL, too, as --notify-url or BITSServerNotificationURL.`,
  )
}

/** @throws CliError that shows no value: it may be a secret. */
function checked(headers: readonly Header[]): Record<string, string> {
  const wrong = findWrongHeader(headers)
  if (wrong) throw usageError(`--notify-header ${wrong.name}: ${wrong.why}.`)
  return Object.fromEntries(headers)
}
