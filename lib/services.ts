import { resolve } from 'node:path'
import type { Request } from 'express'
import type { BitsUploadOptions, RequestSettings } from '../types/options.js'
import { readLimits, readOptions, type Settings } from './options.js'
import { Bandwidth } from './packets/bandwidth.js'
import type { Announce } from './packets/exchange.js'
import { createService, type RunningService } from './service.js'

/**
 * The services of one `bitsUpload()`: one for its own options, and one for each other storage that the option
 * `perRequest` names.
 */
export class Services {
  readonly base: RunningService
  /** No packet is taken any more. */
  closed = false
  readonly #options: BitsUploadOptions
  readonly #announce: Announce
  readonly #bandwidth: Bandwidth
  /** By storage, or by the absolute path of a directory. */
  readonly #others = new Map<object | string, RunningService>()

  constructor(options: BitsUploadOptions, settings: Settings, announce: Announce) {
    this.#options = options
    this.#announce = announce
    this.#bandwidth = new Bandwidth(settings.bandwidth)
    this.base = createService(settings, announce, this.#bandwidth)
  }

  /** The service for a request. @throws TypeError when `perRequest` answers with wrong settings. */
  async of(req: Request): Promise<RunningService> {
    const own = await this.#options.perRequest?.(req)
    if (!own) return this.base
    const options = merge(this.#options, own)
    const home = this.#home(own, options)
    const limits = readLimits(options)
    return { ...home, ...limits, settings: { ...home.settings, ...limits } }
  }

  all(): RunningService[] {
    return [this.base, ...this.#others.values()]
  }

  #home(own: RequestSettings, options: BitsUploadOptions): RunningService {
    const place = own.storage ?? (own.directory === undefined ? undefined : resolve(own.directory))
    if (place === undefined) return this.base
    const known = this.#others.get(place)
    if (known) return known
    const created = createService(readOptions(options), this.#announce, this.#bandwidth)
    this.#others.set(place, created)
    return created
  }
}

/** A tenant's own storage or directory comes in place of the common one, with sessions of its own. */
function merge(common: BitsUploadOptions, own: RequestSettings): BitsUploadOptions {
  const { storage, directory, sessions, ...rest } = common
  const isElsewhere = own.storage !== undefined || own.directory !== undefined
  const place = isElsewhere
    ? {}
    : { ...(storage && { storage }), ...(directory && { directory }), ...(sessions && { sessions }) }
  const delivery = own.onUpload
    ? { notification: undefined }
    : own.notification
      ? { onUpload: undefined }
      : {}
  return defined({ ...rest, ...delivery, ...place, ...own })
}

/** Without the properties that are `undefined`. */
const defined = (
  options: { [Name in keyof BitsUploadOptions]: BitsUploadOptions[Name] | undefined },
): BitsUploadOptions => Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
