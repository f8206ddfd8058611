import type { Option } from 'commander'
import type { ServeFlags } from '../flags.js'

/** Options of the server as a whole: it has one port, one certificate and one log, whatever it serves. */
const SERVER_OPTIONS: readonly (keyof ServeFlags)[] = [
  'host',
  'port',
  'tlsCert',
  'tlsKey',
  'tlsPfx',
  'tlsPassphraseFile',
  'tlsMinVersion',
  'tlsClientCa',
  'maxHeaderSize',
  'idleTimeout',
  'grace',
  'live',
  'livePath',
  'liveActions',
  'liveHost',
  'metrics',
  'health',
  'accessLog',
  'logFormat',
  'verbose',
]

/** Options that belong on the command line only. */
const COMMAND_LINE_ONLY: readonly string[] = ['config', 'check', 'help']

const isServerOption: ReadonlySet<string> = new Set(SERVER_OPTIONS)
const isCommandLineOnly: ReadonlySet<string> = new Set(COMMAND_LINE_ONLY)

/**
 * What an option is about: the server as a whole; one directory, so that each of several may have a value of its own; or
 * only the command line.
 */
export function scopeOf(option: Option): 'server' | 'directory' | 'command line' {
  const name = option.attributeName()
  if (isCommandLineOnly.has(name)) return 'command line'
  return isServerOption.has(name) ? 'server' : 'directory'
}

/** Key of an option in the file: `--no-create-directories` has the key `create-directories`. */
export const keyOf = (option: Option): string => (option.long ?? '').replace(/^--(?:no-)?/, '')
