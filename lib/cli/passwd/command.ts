import type { Command } from 'commander'

const PASSWD_EXAMPLES = `
Examples:
  Add a user, or change a password (prompts for the password):
    $ npx express-bits-upload passwd users.htpasswd alice

Without a terminal, take the password from the first line of standard input:
    $ npx express-bits-upload passwd users.htpasswd alice < /run/secrets/alice

serve --htpasswd rereads the file when it changes.

Exit codes: 0 written, 1 failure (file unreadable or not writable), 2 usage error.`

/** Adds `passwd` to the program. @param done receives the exit code. */
export function addPasswdCommand(program: Command, done: (exitCode: number) => void): void {
  program
    .command('passwd')
    .description('set the password of a user in a file for serve --htpasswd (bcrypt)')
    .argument('<file>', 'htpasswd file, created when it does not exist')
    .argument('<user>', 'name of the user')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', PASSWD_EXAMPLES)
    .action(async (file: string, user: string) => {
      const { passwd } = await import('./passwd.js')
      done(await passwd(file, user))
    })
}
