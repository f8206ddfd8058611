import { closeSync, openSync, readSync } from 'node:fs'
import { resolve } from 'node:path'
import { isMainThread } from 'node:worker_threads'
import { asError } from '../util/errors.js'

/** The environment variable in which MIT Kerberos looks for the keytab. */
const VARIABLE = 'KRB5_KTNAME'

/** The keytab that {@link useKeytab} chose for this process. */
let chosen: string | undefined

/**
 * Makes Kerberos use a keytab. It knows one for the whole process.
 *
 * @returns what to pass instead if the file cannot be used.
 */
export function useKeytab(path: string): string | undefined {
  const file = resolve(path)
  const problem = keytabProblem(file)
  if (problem !== undefined) return problem
  if (chosen !== undefined && chosen !== file)
    return `the keytab ${chosen}, as before: there is one for the whole process; "ktutil" joins several into one file`
  if (!isMainThread)
    return `nothing, and start the process with ${VARIABLE}=${file} in its environment: a worker thread cannot change it`
  chosen = file
  process.env[VARIABLE] = `FILE:${file}`
  return undefined
}

function keytabProblem(file: string): string | undefined {
  try {
    return isKeytab(file) ? undefined : 'a keytab, made by ktpass or kadmin; this file is not one'
  } catch (error) {
    return `a keytab that this process can read: ${asError(error).message}`
  }
}

/** A keytab begins with 5 and the version of its format. */
function isKeytab(file: string): boolean {
  const start = Buffer.alloc(2)
  const fd = openSync(file, 'r')
  try {
    return readSync(fd, start, 0, 2, 0) === 2 && start[0] === 5 && (start[1] === 1 || start[1] === 2)
  } finally {
    closeSync(fd)
  }
}
