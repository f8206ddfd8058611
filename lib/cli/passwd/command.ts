import type { Command } from 'commander'

const PASSWD_EXAMPLES = `
Examples:
  Add a user, or change a password; the password is asked for:
    $ npx express-bits-upload passwd users.htpasswd alice

Without a terminal, the password is the first line of standard input:
    $ npx express-bits-upload passwd users.htpasswd alice < /run/secrets/alice

serve --htpasswd reads the file again when it has changed.

Exit codes: 0 written, 1 failure (file unreadable or not writable), 2 wrong usage.`

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
