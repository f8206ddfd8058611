import { type Command, Option } from 'commander'
import { count, duration, rate, size, urlPath } from '../../values.js'

/** Limits and behavior of uploads. */
export function addUploadOptions(command: Command): void {
  command
    .optionsGroup('Uploads:')
    .option('--path <path>', 'URL path of the directory', urlPath, '/')
    .option('--overwrite', 'an upload may replace a file')
    .option('--max-upload-size <size>', 'largest file, 10GB for example', size)
    .option('--max-fragment-size <size>', 'largest fragment of a file (default: 16MB)', size)
    .option(
      '--max-sessions-per-user <n>',
      'uploads that a user may have in progress (default: 50 for named users)',
      count,
    )
    .option(
      '--max-bandwidth <rate>',
      'bytes per second accepted from all clients together, 20MB for example',
      rate,
    )
    .option('--max-session-bandwidth <rate>', 'bytes per second accepted for each upload', rate)
    .option('--session-timeout <time>', 'remove uploads idle for this long (default: 14d)', duration)
    .option('--cleanup-interval <time>', 'interval between clean-ups (default: 12h)', duration)
    .addOption(
      new Option('--durability <when>', 'when bytes are flushed to disk (default: "publish")').choices([
        'none',
        'publish',
        'fragment',
      ]),
    )
    .option('--shared', 'lock uploads across processes: for several servers on one directory')
    .option('--no-create-directories', 'refuse uploads into directories that do not exist')
    .option('--accept-post', 'accept POST in place of BITS_POST, for proxies that reject the verb')
    .option('--host-id <host>', 'host that clients should use once an upload has started')
    .option(
      '--host-id-fallback-timeout <time>',
      'when clients return to the original host (default: 24h)',
      duration,
    )
}
