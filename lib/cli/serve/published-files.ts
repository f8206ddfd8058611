import { realpath, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import express, { type Request, type RequestHandler, type Response, Router } from 'express'
import { isHidden } from './hidden-paths.js'
import { sendListing } from './listing.js'

/** Answers GET and HEAD with the files of a directory, ranges included; with `list` also with its directories. */
export function publishedFiles(directory: string, { list }: { list: boolean }): Router {
  const router = Router()
  router.use(onlyReading)
  router.use(hide(directory))
  router.use(
    express.static(directory, {
      dotfiles: 'ignore',
      index: false,
      // `/folder` becomes `/folder/`, below which the links of a listing work.
      redirect: list,
      setHeaders: download,
    }),
  )
  if (list) router.use(listings(directory))
  return router
}

/** An uploaded page or script is somebody else's: it is downloaded, and never runs with the rights of this site. */
function download(res: Response): void {
  res.set({
    'Content-Disposition': 'attachment',
    'Content-Security-Policy': "sandbox; default-src 'none'",
    'X-Content-Type-Options': 'nosniff',
  })
}

const onlyReading: RequestHandler = (req, _res, next) =>
  next(req.method === 'GET' || req.method === 'HEAD' ? undefined : 'router')

/**
 * Answers 404 for what is neither a file nor a directory, or is hidden, under any of its names: the file system is asked for the real one, as it may know
 * `BITS-Sessions` also as `bits-sessions` or `BITS-S~1`, and a link may lead there, or out of the directory.
 */
function hide(directory: string): RequestHandler {
  return (req, res, next) => {
    realName(directory, req)
      .then((name) => (name === undefined || isHidden(name) ? undefined : stat(join(directory, name))))
      // Whoever opens a named pipe waits for somebody to write into it, and the thread waits along.
      .then((facts) => (facts?.isFile() || facts?.isDirectory() ? next() : res.sendStatus(404)))
      .catch(next)
  }
}

function listings(directory: string): RequestHandler {
  return (req, res, next) => {
    if (!req.path.endsWith('/')) return next()
    realName(directory, req)
      .then((name) => (name === undefined ? next() : sendListing(join(directory, name), name, req, res)))
      .catch((error: NodeJS.ErrnoException) => (error.code === 'ENOTDIR' ? next() : next(error)))
  }
}

/** Path below the directory with all links resolved; `undefined` when there is nothing. */
async function realName(directory: string, req: Request): Promise<string | undefined> {
  const path = decode(req.path)
  if (path === undefined || path.includes('\0')) return undefined
  try {
    return relative(await realpath(directory), await realpath(join(directory, path)))
  } catch {
    return undefined
  }
}

/** `undefined` for what no file name can be. */
function decode(path: string): string | undefined {
  try {
    return decodeURIComponent(path)
  } catch {
    return undefined
  }
}
