import { realpath } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import express, { type RequestHandler, Router } from 'express'

/** Answers GET and HEAD with the uploaded files, ranges included. */
export function serveFiles(directory: string): Router {
  const router = Router()
  router.use(byRealName(directory))
  router.use(
    express.static(directory, {
      dotfiles: 'ignore',
      index: false,
      redirect: false,
      // An uploaded page or script is untrusted: it is served as a download, and never runs in this site's origin.
      setHeaders(res) {
        res.setHeader('Content-Type', 'application/octet-stream')
        res.setHeader('Content-Disposition', 'attachment')
        res.setHeader('X-Content-Type-Options', 'nosniff')
      },
    }),
  )
  return router
}

/**
 * Answers 404 for links, and for names that only the file system takes for a file's, as it may know `BITS-Sessions` also
 * as `BITS-S~1`: by its own name `bitsUpload()` has answered it.
 */
function byRealName(directory: string): RequestHandler {
  const root = resolve(directory)
  return async (req, res, next) => {
    const path = decodeFilePath(req.path)
    if (path === undefined) return res.sendStatus(400)
    const real = await resolvedName(root, path)
    return real === relative(root, join(root, path)) ? next() : res.sendStatus(404)
  }
}

/** Path below the root with all links resolved; `undefined` when there is nothing. */
async function resolvedName(root: string, path: string): Promise<string | undefined> {
  try {
    return relative(await realpath(root), await realpath(join(root, path)))
  } catch {
    return undefined
  }
}

/** `undefined` for what no file name can be. */
function decodeFilePath(path: string): string | undefined {
  try {
    const decoded = decodeURIComponent(path)
    return decoded.includes('\0') ? undefined : decoded
  } catch {
    return undefined
  }
}
