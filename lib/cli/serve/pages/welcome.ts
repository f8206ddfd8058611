import escapeHtml from 'escape-html'
import type { Request, RequestHandler } from 'express'
import { livePathOf } from '../app-paths.js'
import type { ServeFlags } from '../flags.js'
import { bitsadminLine, powerShellLine } from '../windows-commands.js'
import { sendPage } from './layout.js'

type WelcomeFlags = Pick<
  ServeFlags,
  'path' | 'read' | 'list' | 'live' | 'livePath' | 'htpasswd' | 'negotiate'
>

const TITLE = 'BITS upload server'

/** The front page: what this server is, and how to upload. HTML for browsers, text for other clients. */
export function welcome(flags: WelcomeFlags): RequestHandler {
  return (req, res, next) => {
    if (req.method !== 'GET' && req.method !== 'HEAD') return next()
    const sections = sectionsFor(req, flags)
    if (req.accepts(['text', 'html']) === 'text') {
      res.set({ 'Cache-Control': 'no-store', Vary: 'Accept' }).type('text').send(asText(sections))
    } else sendPage(res, { title: TITLE, body: asHtml(sections, linksFor(flags)) })
  }
}

interface WelcomeSection {
  readonly text: string
  readonly command?: string
}

function sectionsFor(req: Request, flags: WelcomeFlags): WelcomeSection[] {
  const base = `${req.protocol}://${hostForReader(req)}${flags.path === '/' ? '' : flags.path}/`
  const hasPassword = flags.htpasswd !== undefined && !flags.negotiate
  const credentials = flags.negotiate ? ' --negotiate' : hasPassword ? ' --user NAME' : ''
  return [
    {
      text:
        "This server receives files from Windows' Background Intelligent Transfer Service (BITS). " +
        `A file is stored under the path of its URL below ${base}.`,
    },
    { text: 'From PowerShell:', command: powerShellLine(`${base}a.zip`, hasPassword) },
    ...(hasPassword ? [] : [{ text: 'From a command prompt:', command: bitsadminLine(`${base}a.zip`) }]),
    {
      text: 'From other systems, with Node.js:',
      command: `npx express-bits-upload send a.zip ${base}${credentials}`,
    },
    { text: READING[flags.list ? 'list' : flags.read ? 'read' : 'none'] },
  ]
}

const READING = {
  list: 'Uploaded files are listed and can be downloaded.',
  read: 'Uploaded files can be downloaded at the URL that they were uploaded to. They are not listed.',
  none: 'Uploaded files can be neither listed nor downloaded.',
} as const

/** If the request does not name this server (HTTP/1.0, for example), readers have to fill in the name. */
function hostForReader(req: Request): string {
  const host = req.get('host') ?? ''
  return /^[\w.:[\]-]{1,255}$/.test(host) ? host : 'SERVER'
}

const asText = (sections: readonly WelcomeSection[]): string =>
  [TITLE, ...sections.map(({ text, command }) => (command === undefined ? text : `${text}\n  ${command}`))]
    .map((part) => `${part}\n`)
    .join('\n')

const asHtml = (sections: readonly WelcomeSection[], links: string): string =>
  sections
    .map(({ text, command }) =>
      command === undefined
        ? `<p>${escapeHtml(text)}</p>`
        : `<h2>${escapeHtml(text.replace(/:$/, ''))}</h2>\n<pre><code>${escapeHtml(command)}</code></pre>`,
    )
    .join('\n') + links

function linksFor(flags: WelcomeFlags): string {
  const live = livePathOf(flags)
  const links = [
    ...(flags.list ? [`<a href="${flags.path === '/' ? '' : flags.path}/">Uploaded files</a>`] : []),
    ...(live === undefined ? [] : [`<a href="${live}/">Uploads in progress</a>`]),
  ]
  return links.length === 0 ? '' : `\n<p>${links.join(' · ')}</p>`
}
