import escapeHtml from 'escape-html'
import type { Request, RequestHandler } from 'express'
import { livePathOf } from '../app-paths.js'
import type { ServeFlags } from '../flags.js'
import { bitsadminLine, powerShellLine } from '../windows-commands.js'
import { sendPage } from './layout.js'

type WelcomeFlags = Pick<ServeFlags, 'path' | 'read' | 'list' | 'htpasswd' | 'negotiate'>
type PageFlags = Pick<ServeFlags, 'live' | 'livePath'>

const TITLE = 'BITS upload server'

/**
 * The front page: what this server is, and how to upload. HTML for browsers, text for other clients.
 *
 * @param directories the flags of those that the page is about.
 * @param server flags of the server as a whole.
 */
export function welcome(directories: readonly WelcomeFlags[], server: PageFlags): RequestHandler {
  return (req, res, next) => {
    if (req.method !== 'GET' && req.method !== 'HEAD') return next()
    const sections = sectionsFor(req, directories)
    if (req.accepts(['text', 'html']) === 'text') {
      res.set({ 'Cache-Control': 'no-store', Vary: 'Accept' }).type('text').send(asText(sections))
    } else sendPage(res, { title: TITLE, body: asHtml(sections, linksFor(directories, server)) })
  }
}

interface WelcomeSection {
  readonly text: string
  readonly command?: string
}

const WHAT = 'This server receives files from the Windows Background Intelligent Transfer Service (BITS).'

function sectionsFor(req: Request, directories: readonly WelcomeFlags[]): WelcomeSection[] {
  const bases = directories.map((flags) => ({ ...flags, base: baseOf(req, flags) }))
  const [only, another] = bases
  if (only && !another)
    return [
      { text: `${WHAT} A file is stored under the path of its URL below ${only.base}.` },
      ...howTo(only),
    ]
  const list = bases.map(({ base }) => base).join(', ')
  return [
    { text: `${WHAT} Files go to one of these directories: ${list}.` },
    ...bases.flatMap((flags) => [
      {
        text: `To ${flags.base}, from PowerShell:`,
        command: powerShellLine(`${flags.base}a.zip`, takesPassword(flags)),
      },
      { text: READING[reading(flags)] },
    ]),
  ]
}

/** With a slash at its end. */
const baseOf = (req: Request, { path }: WelcomeFlags): string =>
  `${req.protocol}://${hostForReader(req)}${path === '/' ? '' : path}/`

const takesPassword = ({ htpasswd, negotiate }: WelcomeFlags): boolean => htpasswd !== undefined && !negotiate

const reading = ({ list, read }: WelcomeFlags): keyof typeof READING =>
  list ? 'list' : read ? 'read' : 'none'

function howTo(flags: WelcomeFlags & { readonly base: string }): WelcomeSection[] {
  const { base, negotiate } = flags
  const hasPassword = takesPassword(flags)
  const credentials = negotiate ? ' --negotiate' : hasPassword ? ' --user NAME' : ''
  return [
    { text: 'From PowerShell:', command: powerShellLine(`${base}a.zip`, hasPassword) },
    ...(hasPassword ? [] : [{ text: 'From a command prompt:', command: bitsadminLine(`${base}a.zip`) }]),
    {
      text: 'From other systems, with Node.js:',
      command: `npx express-bits-upload send a.zip ${base}${credentials}`,
    },
    { text: READING[reading(flags)] },
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

function linksFor(directories: readonly WelcomeFlags[], server: PageFlags): string {
  const live = livePathOf(server)
  const listed = directories.filter(({ list }) => list)
  const nameOf = (path: string) => (directories.length > 1 ? `Uploaded files in ${path}` : 'Uploaded files')
  const links = [
    ...listed.map(({ path }) => `<a href="${path === '/' ? '' : path}/">${nameOf(path)}</a>`),
    ...(live === undefined ? [] : [`<a href="${live}/">Uploads in progress</a>`]),
  ]
  return links.length === 0 ? '' : `\n<p>${links.join(' · ')}</p>`
}
