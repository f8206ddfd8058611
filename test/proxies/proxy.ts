import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Certificate } from '../support/certificates.js'
import { freePort, untilListening } from '../support/ports.js'
import { temporaryDirectory } from '../support/serve.js'

/** How to run a proxy, alone in a directory and in the foreground. */
interface ProxyKind {
  readonly binary: string
  /** Embeds the documented snippet into a complete configuration. */
  configure(snippet: string, directory: string): string
  /** Its arguments, from the configuration's path, the port to listen on and the port of the server. */
  args(config: string, directory: string, port: number, upstream: number): string[]
  /** Default: SIGKILL. */
  readonly signal?: NodeJS.Signals
}

const MODULES = '/usr/lib/apache2/modules'
const APACHE_MODULES = ['mpm_event', 'authz_core', 'proxy', 'proxy_http', 'headers', 'ssl', 'http2']
const GSSAPI_MODULES = ['authn_core', 'authz_user', 'auth_gssapi']

/** Each proxy is a single process in the foreground, so that killing it leaves nothing behind. */
export const PROXIES = {
  nginx: {
    binary: '/usr/sbin/nginx',
    configure: (snippet, directory) => {
      const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
        .map((name) => `${name}_temp_path ${directory}/${name};`)
        .join('\n')
      return `daemon off; master_process off; pid ${directory}/pid; error_log stderr warn;
events {}
http {
access_log off;
${temporary}
${snippet}
}
`
    },
    args: (config, directory) => ['-p', directory, '-e', 'stderr', '-c', config],
  },
  haproxy: {
    binary: '/usr/sbin/haproxy',
    configure: (snippet) => snippet,
    args: (config) => ['-db', '-f', config],
  },
  caddy: {
    binary: '/usr/bin/caddy',
    configure: (snippet) => `{\n  admin off\n  auto_https off\n  default_bind 127.0.0.1\n}\n${snippet}`,
    args: (config) => ['run', '--config', config, '--adapter', 'caddyfile'],
  },
  apache: {
    binary: '/usr/sbin/apache2',
    configure: (snippet, directory) => {
      const port = /<VirtualHost [^>]*:(\d+)>/.exec(snippet)?.[1]
      const names = snippet.includes('GSSAPI') ? [...APACHE_MODULES, ...GSSAPI_MODULES] : APACHE_MODULES
      const modules = names.map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`)
      return `ServerRoot ${directory}
DefaultRuntimeDir ${directory}
PidFile ${directory}/pid
User nobody
Group nogroup
ErrorLog ${directory}/log
ServerName localhost
Listen 127.0.0.1:${port}
${modules.join('\n')}
${snippet}`
    },
    args: (config) => ['-X', '-f', config],
  },
  varnish: {
    binary: '/usr/sbin/varnishd',
    configure: () => '',
    args: (_config, directory, port, upstream) => [
      ...['-F', '-j', 'none', '-n', join(directory, 'varnish'), '-s', 'malloc,32m'],
      ...['-a', `127.0.0.1:${port}`, '-b', `127.0.0.1:${upstream}`],
    ],
    // It has a child process, which exits with it.
    signal: 'SIGTERM',
  },
} satisfies Record<string, ProxyKind>

export type ProxyName = keyof typeof PROXIES

export const isInstalled = (name: ProxyName): boolean => existsSync(PROXIES[name].binary)

export interface RunningProxy {
  readonly port: number
  stop(): Promise<void>
}

/**
 * Starts a proxy with a documented snippet, in front of a server on port `upstream`. The caller has to stop it.
 *
 * @param certificate for a snippet that listens on port 443.
 * @param env in addition to the few variables of all proxies.
 */
export async function startProxy(
  name: ProxyName,
  snippet: string,
  upstream: number,
  certificate?: Certificate,
  env: Record<string, string> = {},
): Promise<RunningProxy> {
  const kind: ProxyKind = PROXIES[name]
  if (!isInstalled(name)) throw new Error(`${kind.binary} is not installed; where CI is set it has to be.`)
  const port = await freePort()
  const directory = await temporaryDirectory()
  // If nginx runs as root, its workers run as another user.
  await chmod(directory.path, 0o755)
  await mkdir(join(directory.path, 'home'))
  const config = join(directory.path, 'config')
  const both = join(directory.path, 'both.pem')
  if (certificate) await writeFile(both, certificate.cert + certificate.key)
  const files = certificate && { certificate, both }
  await writeFile(config, kind.configure(adapt(snippet, port, upstream, files), directory.path))
  const home = join(directory.path, 'home')
  const child = spawn(kind.binary, kind.args(config, directory.path, port, upstream), {
    cwd: directory.path,
    env: { PATH: process.env.PATH, HOME: home, XDG_DATA_HOME: home, XDG_CONFIG_HOME: home, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output: string[] = []
  child.stdout.on('data', (text) => output.push(String(text)))
  child.stderr.on('data', (text) => output.push(String(text)))
  const kill = () => void child.kill('SIGKILL')
  process.once('exit', kill)
  const stop = async () => {
    process.off('exit', kill)
    await end(child, kind.signal ?? 'SIGKILL')
    await directory.remove()
  }
  try {
    await untilListening(port, () => child.exitCode !== null || child.signalCode !== null)
  } catch (error) {
    output.push(await readFile(join(directory.path, 'log'), 'utf8').catch(() => ''))
    await stop()
    throw new Error(`${name} did not start:\n${output.join('')}`, { cause: error })
  }
  return { port, stop }
}

interface TlsFiles {
  readonly certificate: Certificate
  /** Certificate and key in one file. */
  readonly both: string
}

/** Replaces the addresses, ports and files in a document by those of the test. */
function adapt(snippet: string, port: number, upstream: number, tls: TlsFiles | undefined): string {
  const adapted = snippet
    .replaceAll('127.0.0.1:3000', `127.0.0.1:${upstream}`)
    .replaceAll('http://files.example.com', `http://:${port}`)
    .replace(/listen (?:80|443)\b/g, `listen 127.0.0.1:${port}`)
    .replace(/bind :(?:80|443)\b/g, `bind 127.0.0.1:${port}`)
    .replace(/<VirtualHost \*:(?:80|443)>/g, `<VirtualHost 127.0.0.1:${port}>`)
  if (!tls) return adapted
  const { certFile, keyFile } = tls.certificate
  return adapted
    .replace(/https:\/\/files\.example\.com \{/g, `https://127.0.0.1:${port} {\n  tls ${certFile} ${keyFile}`)
    .replaceAll('/etc/ssl/both.pem', tls.both)
    .replaceAll('/etc/ssl/cert.pem', certFile)
    .replaceAll('/etc/ssl/key.pem', keyFile)
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill(signal)
  await exit
}
