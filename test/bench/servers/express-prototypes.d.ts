import type { ServerOptions } from 'node:http'
import type { Application } from 'express'

export declare function expressPrototypes(
  app: Application,
): Pick<ServerOptions, 'IncomingMessage' | 'ServerResponse'>
