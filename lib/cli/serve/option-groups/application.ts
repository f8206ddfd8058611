import { type Command, Option } from 'commander'
import { collect, duration } from '../../values.js'

/** The application that processes uploads. */
export function addApplicationOptions(command: Command): void {
  command
    .optionsGroup('Processing:')
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
