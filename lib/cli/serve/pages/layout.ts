import { createHash } from 'node:crypto'
import escapeHtml from 'escape-html'
import type { Response } from 'express'

/** The style of all pages that `serve` writes. Colors follow the reader's light or dark scheme. */
const STYLE = `
:root { color-scheme: light dark; --ink: #1a1d26; --page: #f4f5f8; --card: #fff; --line: #c9cdd8; --accent: #2456d6 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e9ebf2; --page: #11131a; --card: #1a1d27; --line: #3a4052; --accent: #86a8ff }
}
body { max-width: 52rem; margin: 2rem auto; padding: 0 1rem; background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif }
h1 { font-size: 1.5rem; overflow-wrap: anywhere }
h2 { margin-bottom: 0.25rem; font-size: 1.125rem }
a { color: var(--accent) }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
pre { margin: 0; padding: 0.75rem 1rem; border: 1px solid var(--line); border-radius: 0.5rem; background: var(--card);
  white-space: pre-wrap; overflow-wrap: anywhere }
table { width: 100%; border-collapse: collapse }
th { text-align: left }
td { overflow-wrap: anywhere }
:is(th, td):nth-child(n + 2) { padding-left: 1rem; text-align: right; white-space: nowrap }
`

/** Allows the style above by its digest, and nothing else: no script, no form, no frame, no request to other places. */
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

/** Answers with a page. It may show names of files and hosts, so caches keep no copy. */
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
${body}
</main>
</html>
`)
}
