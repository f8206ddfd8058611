import { resolve } from 'node:path'
import type { Request } from 'express'
import type { Awaitable } from '../types/awaitable.js'
import type { BitsUploadOptions, RequestSettings } from '../types/options.js'
import { createDelivery, createService, storageIdentity } from './create-service.js'
import type { Emit } from './events.js'
import { bandwidthLimits } from './options/bandwidth.js'
import { checkRequestSettings } from './options/checks.js'
import { readOptions } from './options/settings.js'
import type { ServerSettings } from './options/upload-options.js'
import { Bandwidth } from './packets/bandwidth.js'
import type { UploadService, UploadServices } from './packets/context.js'
import { NewSessionLimit } from './packets/new-session-limit.js'
import { defined } from './util/objects.js'
import { isPromise } from './util/promises.js'

/** With more storages than this, `perRequest` most likely creates a new one for each request. */
const TENANT_WARNING_THRESHOLD = 1000

/**
 * The services of one `bitsUpload()`: one for its own options, and one for each other storage that the option
 * `perRequest` returns.
 */
export class Tenants implements UploadServices {
  readonly base: UploadService
  /** Packets are no longer accepted. */
  closed = false
  readonly #options: BitsUploadOptions
  readonly #emit: Emit
  readonly #bits: object
  readonly #bandwidth: Bandwidth
  readonly #newSessions: NewSessionLimit
  /** By the absolute path of the storage's directory, or else by the storage. */
  readonly #services = new Map<object | string, UploadService>()

  constructor(options: BitsUploadOptions, settings: ServerSettings, emit: Emit, bits: object) {
    this.#options = options
    this.#emit = emit
    this.#bits = bits
    this.#newSessions = new NewSessionLimit(settings.maxNewSessions)
    this.#bandwidth = new Bandwidth(bandwidthLimits(settings.maxBandwidth))
    // With `perRequest`, uploads may be disabled in general and enabled for some requests.
    this.base = this.#create(settings, settings.enabled === false && !options.perRequest)
  }

  /**
   * The service for a request.
   * @throws TypeError when `perRequest` returns invalid settings.
   */
  of(req: Request): Awaitable<UploadService> {
    const answer = this.#options.perRequest?.(req)
    return isPromise(answer) ? answer.then((settings) => this.#with(settings)) : this.#with(answer)
  }

  #with(answer: RequestSettings | undefined): UploadService {
    if (!answer) return this.base
    checkRequestSettings(answer)
    const own = defined(answer)
    const settings = readOptions(mergeOptions(this.#options, own))
    return {
      ...this.#serviceFor(own, settings),
      settings,
      deliverToApplication: createDelivery(settings, this.#bits),
    }
  }

  all(): UploadService[] {
    return [...this.#services.values()]
  }

  #serviceFor({ storage, directory }: RequestSettings, settings: ServerSettings): UploadService {
    if (storage) return this.#services.get(storageIdentity(storage)) ?? this.#create(settings, false)
    if (directory === undefined) return this.base
    return this.#services.get(resolve(directory)) ?? this.#create(settings, false)
  }

  #create(settings: ServerSettings, clear: boolean): UploadService {
    const shared = {
      emit: this.#emit,
      bandwidth: this.#bandwidth,
      newSessions: this.#newSessions,
      bits: this.#bits,
    }
    const service = createService(settings, shared, clear)
    this.#services.set(storageIdentity(service.storage), service)
    if (this.#services.size === TENANT_WARNING_THRESHOLD) {
      settings.logger.warn(
        `BITS upload: perRequest has returned ${TENANT_WARNING_THRESHOLD} storages. Each is kept, with its timers. Return the same ` +
          'storage for the same tenant: an upload cannot continue in a storage made for another request.',
      )
    }
    return service
  }
}

/** A tenant's own storage or directory replaces the common one, and has its own sessions. */
function mergeOptions(common: BitsUploadOptions, own: RequestSettings): BitsUploadOptions {
  const { storage, directory, sessionStore, onUpload, notification, ...rest } = common
  const isElsewhere = own.storage !== undefined || own.directory !== undefined
  const place = isElsewhere ? {} : { storage, directory, sessionStore }
  const delivery = own.onUpload || own.notification ? {} : { onUpload, notification }
  return { ...rest, ...place, ...delivery, ...own }
}
