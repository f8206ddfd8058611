import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** A certificate and its key, in PEM, with their paths. */
export interface Certificate {
  readonly cert: string
  readonly key: string
  readonly certFile: string
  readonly keyFile: string
}

const run = promisify(execFile)
const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']

/** A certificate authority for a test, created by openssl at run time. */
export class Authority {
  readonly #directory: string
  readonly own: Certificate

  private constructor(directory: string, own: Certificate) {
    this.#directory = directory
    this.own = own
  }

  static async create(directory: string, name = 'authority'): Promise<Authority> {
    const files = filesOf(directory, name)
    const subject = ['-subj', `/CN=${name}`, '-addext', 'basicConstraints=critical,CA:TRUE']
    await run('openssl', [
      'req',
      '-x509',
      ...KEY,
      ...subject,
      '-keyout',
      files.keyFile,
      '-out',
      files.certFile,
    ])
    return new Authority(directory, await read(files))
  }

  /** A certificate for a server at 127.0.0.1, or for a client with this name, which expires after so many days. */
  async issue(name: string, days = 2): Promise<Certificate> {
    const files = filesOf(this.#directory, name)
    const request = join(this.#directory, `${name}.csr`)
    const extensions = join(this.#directory, `${name}.ext`)
    await writeFile(extensions, 'subjectAltName=IP:127.0.0.1\n')
    await run('openssl', [
      'req',
      '-new',
      ...KEY.slice(0, 5),
      '-subj',
      `/CN=${name}`,
      '-keyout',
      files.keyFile,
      '-out',
      request,
    ])
    const { certFile, keyFile } = this.own
    const signer = [
      '-CA',
      certFile,
      '-CAkey',
      keyFile,
      '-CAcreateserial',
      '-extfile',
      extensions,
      '-days',
      String(days),
    ]
    await run('openssl', ['x509', '-req', '-in', request, ...signer, '-out', files.certFile])
    return read(files)
  }
}

const filesOf = (directory: string, name: string) => ({
  certFile: join(directory, `${name}.pem`),
  keyFile: join(directory, `${name}.key`),
})

async function read(files: { certFile: string; keyFile: string }): Promise<Certificate> {
  return {
    ...files,
    cert: await readFile(files.certFile, 'utf8'),
    key: await readFile(files.keyFile, 'utf8'),
  }
}
