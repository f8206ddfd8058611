import type { RequestHandler } from 'express'
import { type BitsHealth, type BitsUpload, bitsHealth } from 'express-bits-upload'
import { Registry } from 'prom-client'
import { metrics } from '../../metrics/index.js'
import type { ServeFlags } from './flags.js'

/** The URL path of a page that a flag enables; the flag may set the path. */
export const pathOfFlag = (value: true | string | undefined, standard: string): string | undefined =>
  value === true ? standard : value

/** The URL path for readiness checks; `undefined` when there is none. */
export const healthPathOf = ({ health }: Pick<ServeFlags, 'health'>): string | undefined =>
  pathOfFlag(health, '/health')

/** The URL path of the metrics; `undefined` when there are none. */
export const metricsPathOf = (flags: Pick<ServeFlags, 'metrics'>): string | undefined =>
  pathOfFlag(flags.metrics, '/metrics')

/** Responds with the metrics of all uploads in Prometheus format. */
export function metricsPage(uploads: readonly BitsUpload[]): RequestHandler {
  const registry = new Registry()
  for (const bits of uploads) metrics(bits, { registry })
  return (_req, res, next) => {
    registry
      .metrics()
      .then((text) => res.set('Cache-Control', 'no-store').type(registry.contentType).send(text))
      .catch(next)
  }
}

/** Responds whether all storages and session stores can be used. */
export const healthPage = (uploads: readonly BitsUpload[]): RequestHandler =>
  bitsHealth({ health: () => healthOf(uploads) }, { details: false })

async function healthOf(uploads: readonly BitsUpload[]): Promise<BitsHealth> {
  const states = await Promise.all(uploads.map((bits) => bits.health()))
  const firstProblem = (part: keyof BitsHealth) =>
    states.map((state) => state[part]).find((state) => state !== 'ok') ?? 'ok'
  return { storage: firstProblem('storage'), sessions: firstProblem('sessions') }
}
