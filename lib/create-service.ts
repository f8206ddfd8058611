import { Deliveries } from './delivery/deliver.js'
import type { ServerSettings } from './options/settings.js'
import type { Bandwidth } from './packets/bandwidth.js'
import type { Emit, Service } from './packets/context.js'
import { Housekeeping } from './sessions/housekeeping.js'
import { Sessions } from './sessions/sessions.js'

/** What one set of options needs to serve packets. */
export interface UploadService extends Service {
  readonly settings: ServerSettings
  readonly housekeeping: Housekeeping
}

/**
 * Puts the parts together, opens the storage, and starts the housekeeping.
 *
 * @param clear uploads are switched off for everybody: no session of an earlier run is to stay.
 */
export function createService(
  settings: ServerSettings,
  emit: Emit,
  bandwidth: Bandwidth,
  clear: boolean,
): UploadService {
  const { storage } = settings
  const timeout = settings.sessionTimeout * 1000
  const sessions = new Sessions({ store: settings.sessionStore, timeout, now: Date.now })
  const housekeeping = new Housekeeping({
    sessions,
    storage,
    interval: settings.cleanupInterval * 1000,
    clear,
    onExpired: (session) => emit('expired', session),
    onError: (error) => emit('error', error, {}),
  })
  return { ...settings, sessions, deliveries: new Deliveries(), bandwidth, emit, settings, housekeeping }
}
