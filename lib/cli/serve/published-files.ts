import { stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import express, { type Request, type RequestHandler, type Response, Router } from 'express'
import { realpath } from '../../util/fs.js'
import { isHidden } from './hidden-paths.js'
import { sendListing } from './pages/listing.js'

export interface PublishedFilesOptions {
  /** GET, HEAD, or both. Other requests are passed on to the next handler. */
  readonly methods: readonly string[]
  /** List directories, too. */
  readonly list: boolean
  /** The page of uploads in progress, for a link. */
  readonly livePath: string | undefined
}

/** Serves the files of a directory, ranges included, and with `list` its directories. */
export function publishedFiles(directory: string, options: PublishedFilesOptions): Router {
  const { methods, list, livePath } = options
  const router = Router()
  router.use((req, _res, next) => next(methods.includes(req.method) ? undefined : 'router'))
  router.use(hideFiles(directory))
  router.use(
    express.static(directory, {
      dotfiles: 'ignore',
      index: false,
      // `/folder` becomes `/folder/`, below which the links of a listing work.
      redirect: list,
      setHeaders: download,
    }),
  )
  if (list) router.use(listings(directory, livePath))
  return router
}

/** Uploaded pages and scripts are served as downloads, so that they never run in this site's origin. */
function download(res: Response): void {
  res.set({
    'Content-Disposition': 'attachment',
    'Content-Security-Policy': "sandbox; default-src 'none'",
    'X-Content-Type-Options': 'nosniff',
  })
}

/**
 * Answers 404 for anything that is not a file or directory, or is hidden, under any of its names. It asks the file
 * system for the real name, because `BITS-Sessions` may also be known as `bits-sessions` or `BITS-S~1`, and a link may
 * lead there, or out of the directory.
 */
function hideFiles(directory: string): RequestHandler {
  return (req, res, next) => {
    realName(directory, req)
      .then((name) => (name === undefined || isHidden(name) ? undefined : stat(join(directory, name))))
      // Opening a named pipe would block a thread until something writes to the pipe.
      .then((facts) => (facts?.isFile() || facts?.isDirectory() ? next() : res.sendStatus(404)))
      .catch(next)
  }
}

function listings(directory: string, livePath: string | undefined): RequestHandler {
  return (req, res, next) => {
    if (!req.path.endsWith('/')) return next()
    realName(directory, req)
      .then((name) =>
        name === undefined
          ? next()
          : sendListing({ directory: join(directory, name), name, livePath }, req, res),
      )
      .catch((error: NodeJS.ErrnoException) => (error.code === 'ENOTDIR' ? next() : next(error)))
  }
}

/** Path below the directory with all links resolved; `undefined` when there is nothing. */
async function realName(directory: string, req: Request): Promise<string | undefined> {
  const path = decodeUrlPath(req.path)
  if (path === undefined || path.includes('\0')) return undefined
  try {
    return relative(await realpath(directory), await realpath(join(directory, path)))
  } catch {
    return undefined
  }
}

/** `undefined` for a path that cannot be a file name. */
function decodeUrlPath(path: string): string | undefined {
  try {
    return decodeURIComponent(path)
  } catch {
    return undefined
  }
}
