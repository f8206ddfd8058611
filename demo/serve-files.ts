import { realpath } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import express, { type RequestHandler, Router } from 'express'

/** Serves the uploaded files, including ranges. */
export function serveFiles(directory: string): Router {
  const router = Router()
  router.use(byRealName(directory))
  router.use(
    express.static(directory, {
      dotfiles: 'ignore',
      index: false,
      redirect: false,
      // Uploaded pages and scripts are untrusted: they are served as downloads, so they never run in the origin of this
      // site.
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
 * Responds 404 to links, and to alternative names that only the file system recognizes: it may know `BITS-Sessions` as
 * `BITS-S~1`, too. Requests for the regular name have been handled by `bitsUpload()`.
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

/** The path below the root with all links resolved; `undefined` when nothing is there. */
async function resolvedName(root: string, path: string): Promise<string | undefined> {
  try {
    return relative(await realpath(root), await realpath(join(root, path)))
  } catch {
    return undefined
  }
}

/** `undefined` for an invalid file name. */
function decodeFilePath(path: string): string | undefined {
  try {
    const decoded = decodeURIComponent(path)
    return decoded.includes('\0') ? undefined : decoded
  } catch {
    return undefined
  }
}
