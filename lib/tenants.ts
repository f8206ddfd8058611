import { resolve } from 'node:path'
import type { Request } from 'express'
import type { BitsUploadOptions, RequestSettings } from '../types/options.js'
import type { StorageAdapter } from '../types/storage.js'
import { createService, type UploadService } from './create-service.js'
import { checkOptions, checkRequestSettings } from './options/checks.js'
import { readLimits, readOptions, refuseUnableStorage, type ServerSettings } from './options/settings.js'
import { Bandwidth } from './packets/bandwidth.js'
import type { Emit } from './packets/context.js'
import { FileStorage } from './storage/file/file-storage.js'
import { defined } from './util/objects.js'

/** More storages than anybody has tenants, most likely. */
const TENANT_WARNING_THRESHOLD = 1000

/**
 * The services of one `bitsUpload()`: one for its own options, and one for each other storage that the option
 * `perRequest` names.
 */
export class Tenants {
  readonly base: UploadService
  /** No packet is taken any more. */
  closed = false
  readonly #options: BitsUploadOptions
  readonly #announce: Emit
  readonly #bandwidth: Bandwidth
  /** By the absolute path of the storage's directory, or else by the storage. */
  readonly #homes = new Map<object | string, UploadService>()

  constructor(options: BitsUploadOptions, settings: ServerSettings, emit: Emit) {
    this.#options = options
    this.#announce = emit
    this.#bandwidth = new Bandwidth(settings.bandwidthLimits)
    // With `perRequest`, uploads that are off may be on for some.
    this.base = this.#create(settings, settings.enabled === false && !options.perRequest)
  }

  /** The service for a request. @throws TypeError when `perRequest` answers with wrong settings. */
  async of(req: Request): Promise<UploadService> {
    const answer = await this.#options.perRequest?.(req)
    if (!answer) return this.base
    checkRequestSettings(answer)
    const own = defined(answer)
    const options = merge(this.#options, own)
    checkOptions(options)
    const home = this.#home(own, options)
    refuseUnableStorage(options, home.storage)
    const limits = readLimits(options)
    return { ...home, ...limits, settings: { ...home.settings, ...limits } }
  }

  all(): UploadService[] {
    return [...this.#homes.values()]
  }

  #home(own: RequestSettings, options: BitsUploadOptions): UploadService {
    const place = placeNamedBy(own)
    if (place === undefined) return this.base
    const known = this.#homes.get(place)
    if (known) return known
    return this.#create(readOptions(options), false)
  }

  #create(settings: ServerSettings, clear: boolean): UploadService {
    const service = createService(settings, this.#announce, this.#bandwidth, clear)
    const { storage } = settings
    this.#homes.set(placeOf(storage), service)
    if (this.#homes.size === TENANT_WARNING_THRESHOLD) {
      settings.logger.warn(
        `BITS upload: perRequest has named ${TENANT_WARNING_THRESHOLD} storages. Each is kept, with its timers: keep a tenant's storage ` +
          'and answer it again, rather than making one for each request, in which no upload could go on.',
      )
    }
    return service
  }
}

/** What tells one storage from another: two objects for one directory are one. */
const placeOf = (storage: StorageAdapter): object | string =>
  storage instanceof FileStorage ? storage.directory : storage

function placeNamedBy({ storage, directory }: RequestSettings): object | string | undefined {
  if (storage) return placeOf(storage)
  return directory === undefined ? undefined : resolve(directory)
}

/** A tenant's own storage or directory comes in place of the common one, with sessions of its own. */
function merge(common: BitsUploadOptions, own: RequestSettings): BitsUploadOptions {
  const { storage, directory, sessionStore, onUpload, notification, ...rest } = common
  const isElsewhere = own.storage !== undefined || own.directory !== undefined
  const place = isElsewhere ? {} : { storage, directory, sessionStore }
  const delivery = own.onUpload || own.notification ? {} : { onUpload, notification }
  return { ...rest, ...place, ...delivery, ...own }
}
