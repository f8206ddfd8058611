import { Deliveries } from './delivery/deliver.js'
import type { Settings } from './options/settings.js'
import type { Bandwidth } from './packets/bandwidth.js'
import type { Announce, Service } from './packets/context.js'
import { Housekeeping } from './sessions/housekeeping.js'
import { Sessions } from './sessions/sessions.js'

/** What one set of options needs to serve packets. */
export interface RunningService extends Service {
  readonly settings: Settings
  readonly housekeeping: Housekeeping
}

/**
 * Puts the parts together, opens the storage, and starts the housekeeping.
 *
 * @param clear uploads are switched off for everybody: no session of an earlier run is to stay.
 */
export function createService(
  settings: Settings,
  announce: Announce,
  bandwidth: Bandwidth,
  clear: boolean,
): RunningService {
  const { storage } = settings
  const timeout = settings.sessionTimeout * 1000
  const sessions = new Sessions({ store: settings.sessions, timeout, now: Date.now })
  const housekeeping = new Housekeeping({
    sessions,
    storage,
    interval: settings.cleanupInterval * 1000,
    clear,
    onExpired: (session) => announce('expired', session),
    onError: (error) => announce('error', error, {}),
  })
  return { ...settings, sessions, deliveries: new Deliveries(), bandwidth, announce, settings, housekeeping }
}
