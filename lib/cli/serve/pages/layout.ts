import { createHash } from 'node:crypto'
import escapeHtml from 'escape-html'
import type { Response } from 'express'
import { dashboardStyle } from 'express-bits-upload/dashboard'

/** The style of all pages that `serve` writes: that of the dashboard. */
const STYLE = dashboardStyle()

/** Allows the style above by its digest, and nothing else: no scripts, forms, frames or requests to other origins. */
const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

export interface Page {
  readonly title: string
  /** HTML. */
  readonly body: string
}

/** Answers with a page. It may show names of files and hosts, so it must not be cached. */
export function sendPage(res: Response, { title, body }: Page): void {
  res
    .set({
      'Cache-Control': 'no-store',
      'Content-Security-Policy': POLICY,
      'Referrer-Policy': 'no-referrer',
      'X-Content-Type-Options': 'nosniff',
      Vary: 'Accept',
    })
    .type('html')
    .send(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
<main>
<h1>${escapeHtml(title)}</h1>
<section>
${body}
</section>
</main>
</html>
`)
}
