import { type Command, Option } from 'commander'
import { collect, duration, positiveCount, timeout } from '../../values.js'

/** The application that processes uploads. */
export function addApplicationOptions(command: Command): void {
  command
    .optionsGroup('Processing:')
    .option(
      '--on-upload <program>',
      'run this program for each file before it is published: exit code 0 accepts it, 65 refuses it, others make the client retry',
    )
    .option(
      '--on-upload-argument <text>',
      'argument for the program, before the path of the file; may be repeated',
      collect,
    )
    .option('--on-upload-timeout <time>', 'how long the program may take (default: 4m)', timeout)
    .option('--on-upload-concurrency <n>', 'how many of them may run at a time (default: 4)', positiveCount)
    .addOption(
      new Option(
        '--hash <algorithm>',
        'compute the checksum of each file, for the program, the application and the live page',
      ).choices(['sha256', 'sha512']),
    )
    .option('--notify-url <url>', 'notify this application of each file, as IIS does')
    .addOption(
      new Option(
        '--notify-type <type>',
        'send the application the path, or the bytes (default: "by-reference")',
      ).choices(['by-reference', 'by-value']),
    )
    .option('--notify-timeout <time>', 'how long the application may take (default: 5m)', duration)
    .option(
      '--notify-header <header>',
      'header to send with notifications, a secret for example: "Name: value", or @file with one per line; may be repeated',
      collect,
    )
}
