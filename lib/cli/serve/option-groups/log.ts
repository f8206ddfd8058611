import { type Command, Option } from 'commander'

/** What is logged, and where. */
export function addLogOptions(command: Command): void {
  command
    .optionsGroup('Log:')
    .option('--access-log <file>', 'file for the access log; - for standard output', '-')
    .addOption(
      new Option(
        '--log-format <format>',
        'bits adds packet, upload id and milliseconds to common; json is one object per line; w3c is what IIS writes',
      )
        .choices(['common', 'combined', 'bits', 'w3c', 'json', 'none'])
        .default('common'),
    )
    .option('-v, --verbose', 'log what happens to each upload')
    .option('--check', 'check options and files, print the effective options with secrets masked, and exit')
    .optionsGroup('Help:')
}
