import { join } from 'node:path'
import express from 'express'
import { bitsUpload } from 'express-bits-upload'
import { authenticateBy } from '../../../lib/cli/serve/authenticate.js'
import { HtpasswdFile } from '../../../lib/cli/serve/passwords/htpasswd-file.js'
import { PasswordGate } from '../../../lib/cli/serve/passwords/password-gate.js'
import { PasswordWorkers } from '../../../lib/cli/serve/passwords/password-workers.js'
import { listen } from './listen.js'

/** `serve --htpasswd` without the command line: `passwords.js <directory>`, with the file `users` in it. */
const [, , directory = ''] = process.argv

const users = await HtpasswdFile.open(join(directory, 'users'))
const user = authenticateBy(users, new PasswordGate(await PasswordWorkers.start()), 'bench')
const logger = { info: () => {}, warn: () => {}, error: () => {} }
listen(express().use(bitsUpload({ directory: join(directory, 'in'), user, logger })))
