import type { BitsUpload } from 'express-bits-upload'
import { say } from './terminal.js'

/** The user name of the demo's own uploads. */
export const DEMO_USER = 'demo'

/** Logs the uploads of all other clients: the demo's own have a progress bar. */
export function narrate(bits: BitsUpload): void {
  bits.on('session', ({ destination, user }) => {
    if (user !== DEMO_USER) say(`${user ?? 'A guest'} uploads ${destination} ...`)
  })
  bits.on('uploaded', ({ destination, size, session: { user } }) => {
    if (user !== DEMO_USER) say(`${destination} has arrived: ${size.toLocaleString('en')} bytes.`)
  })
  bits.on('cancelled', ({ destination, user }) => {
    if (user !== DEMO_USER) say(`${destination} was cancelled.`)
  })
}
