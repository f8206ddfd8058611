import type { Command } from 'commander'
import { asError } from '../../util/errors.js'
import { defined } from '../../util/objects.js'
import { CliError, EXIT } from '../output.js'
import { readConfig } from './config/read-config.js'
import type { ServeFlags } from './flags.js'
import { SERVE_EXAMPLES } from './help-examples.js'
import { addAccessOptions } from './option-groups/access.js'
import { addApplicationOptions } from './option-groups/application.js'
import { addIisOptions } from './option-groups/iis.js'
import { addLogOptions } from './option-groups/log.js'
import { addServerOptions } from './option-groups/server.js'
import { addStoreOptions } from './option-groups/stores.js'
import { addUploadOptions } from './option-groups/uploads.js'

/** Adds `serve` to the program. @param done receives the exit code. */
export function addServeCommand(program: Command, done: (exitCode: number) => void): void {
  const command = program
    .command('serve')
    .description('receive BITS uploads into a directory, which is created if it does not exist, or into S3')
    .argument(
      '[directory]',
      'directory for the files; required unless the --config file names it, or several, or there is --s3-bucket',
    )
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', SERVE_EXAMPLES)
  addServerOptions(command)
  addAccessOptions(command)
  addUploadOptions(command)
  addStoreOptions(command)
  addApplicationOptions(command)
  addIisOptions(command)
  addLogOptions(command)
  command.action(async (given: string | undefined, { config }: { config?: string }) => {
    const file = config === undefined ? {} : await readConfig(config, command, given)
    const flags = command.opts<ServeFlags>()
    const directory = given ?? file.directory
    const { serve } = await loadServe()
    done(await serve(file.directories ?? [{ flags, ...defined({ directory }) }], flags, command))
  })
}

/** Only `serve` needs Express, a peer dependency that may be missing. */
async function loadServe(): Promise<typeof import('./serve.js')> {
  try {
    return await import('./serve.js')
  } catch (error) {
    const message = asError(error).message
    if (!message.includes("'express'")) throw error
    throw new CliError(EXIT.failure, 'serve needs the package express: npm install express', { cause: error })
  }
}
