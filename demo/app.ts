import { join } from 'node:path'
import express, { type Express } from 'express'
import { type BitsUpload, bitsUpload, type Logger } from 'express-bits-upload'
import { bitsDashboard } from 'express-bits-upload/dashboard'
import helmet from 'helmet'
import multer from 'multer'
import { serveBrowserModule } from './browser-module.js'
import { formUpload } from './form-upload.js'
import { isDotPath } from './hidden.js'
import { listFiles } from './list-files.js'
import { processUploads } from './process-uploads.js'
import { receiveFile } from './receive-file.js'
import { RecentAnswers } from './recent-answers.js'
import { serveFiles } from './serve-files.js'
import { type StartableShow, showButton } from './show-button.js'
import { authenticate } from './who.js'

export interface DemoOptions {
  /** User names and passwords; clients without credentials are guests. Default: none. */
  users?: Readonly<Record<string, string>>
  /** Largest file of the HTML form, in bytes. Default: 104,857,600 (100 MiB). */
  maxFormSize?: number
  /** What the page's button "Show an upload" starts. Default: the page has no such button. */
  show?: StartableShow
  /** Called when a page is opened. */
  onPage?: () => void
  /** Default: warnings and errors to `console`. */
  logger?: Logger
}

export interface DemoApp {
  readonly app: Express
  readonly bits: BitsUpload
  /** Closes the event streams of the page and the uploads. Stop the server first. */
  close(): Promise<void>
}

/**
 * An app that receives files from Windows (BITS) and from browsers (a page or a form), shows their progress, replies to
 * some of them, and serves them for download.
 */
export function createDemoApp(directory: string, options: DemoOptions = {}): DemoApp {
  const { users = {}, maxFormSize = 100 * 1024 * 1024, show, onPage, logger } = options
  const answers = new RecentAnswers()
  // Must be on the same file system as the files. The name is neither listed nor served.
  const engine = multer.diskStorage({ destination: join(directory, '.form-uploads') })
  const handler = receiveFile(directory, (answer) => answers.add(answer))
  const bits = bitsUpload({
    directory,
    user: authenticate(users),
    // A file that would be neither listed nor served should not be uploaded either.
    authorize: (_req, destination) => !isDotPath(destination),
    onUpload: processUploads(engine, handler),
    ...(logger && { logger }),
  })
  const dashboard = bitsDashboard(bits, { files: '/uploads' })
  const app = express()
  app.disable('x-powered-by')
  // Helmet's defaults, except for the directive that would send browsers to https, which this server does not support.
  app.use(helmet({ contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } } }))

  app.use('/uploads', bits)
  app.get('/uploads', listFiles(directory))
  app.use('/uploads', serveFiles(directory))

  app.use('/form', formUpload({ engine, handler, maxSize: maxFormSize }))
  app.get('/live/events', (_req, _res, next) => {
    onPage?.()
    next()
  })
  app.use('/live', dashboard)
  app.use('/show', showButton(show))
  app.get('/answers', answers.handler)
  app.get('/browser.js', serveBrowserModule())
  app.use(express.static(join(import.meta.dirname, 'public')))

  return {
    app,
    bits,
    async close() {
      dashboard.close()
      await bits.close()
    },
  }
}
