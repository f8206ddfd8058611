import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { asError, errorCode } from '../../../util/errors.js'
import { CliError, EXIT } from '../../output.js'

/** A file that an option names, as it was read. */
export interface NamedFile {
  readonly option: string
  readonly path: string
  readonly content: Buffer
}

const PEM_BEGIN = '-----BEGIN CERTIFICATE-----'
const PEM_END = '-----END CERTIFICATE-----'

/**
 * Checks that a server can use a certificate and its key: OpenSSL reports most mistakes only as "DECODER routines", and
 * a TLS server starts without any certificate at all.
 *
 * @throws CliError that says what to do.
 */
export function checkPair(cert: NamedFile, key: NamedFile, passphrase: string | undefined): X509Certificate {
  const certificates = readCertificates(cert)
  const privateKey = readKey(key, passphrase)
  const [first] = certificates
  if (first?.checkPrivateKey(privateKey)) return first
  const own = certificates.find((certificate) => certificate.checkPrivateKey(privateKey))
  throw certificateError(
    own
      ? `${nameOf(cert)} starts with the certificate of ${oneLine(first?.subject)}: ` +
          'put that of the server first, and those of its authorities after it.'
      : `${nameOf(key)} is not the key of the certificate in ${nameOf(cert)}: use two that belong together.`,
  )
}

/** @throws CliError when a file holds no certificate in PEM. */
export function readCertificates(file: NamedFile): X509Certificate[] {
  const [, ...parts] = file.content.toString('latin1').split(PEM_BEGIN)
  const blocks = parts
    .filter((part) => part.includes(PEM_END))
    .map((part) => `${PEM_BEGIN}${part.slice(0, part.indexOf(PEM_END))}${PEM_END}`)
  if (blocks.length === 0)
    throw certificateError(`${nameOf(file)} holds no certificate in PEM. ${adviceFor(file)}`)
  try {
    return blocks.map((block) => new X509Certificate(block))
  } catch (cause) {
    throw certificateError(`${nameOf(file)} holds a damaged certificate: copy it again.`, cause)
  }
}

function readKey(file: NamedFile, passphrase: string | undefined): KeyObject {
  const text = file.content.toString('latin1')
  const isEncrypted = /ENCRYPTED/.test(text)
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text))
    throw certificateError(`${nameOf(file)} holds no private key in PEM. ${adviceFor(file)}`)
  if (isEncrypted && passphrase === undefined)
    throw certificateError(`${nameOf(file)} is encrypted: pass its passphrase with --tls-passphrase-file.`)
  try {
    return createPrivateKey({ key: file.content, ...(passphrase !== undefined && { passphrase }) })
  } catch (cause) {
    throw certificateError(
      isEncrypted
        ? `the passphrase of --tls-passphrase-file does not open ${nameOf(file)}.`
        : `${nameOf(file)} holds a damaged private key: copy it again.`,
      cause,
    )
  }
}

/** @throws CliError when OpenSSL cannot read the file with this passphrase. */
export function checkPfx(file: NamedFile, passphrase: string | undefined): void {
  try {
    createSecureContext({ pfx: file.content, ...(passphrase !== undefined && { passphrase }) })
  } catch (cause) {
    throw certificateError(`${nameOf(file)} ${pfxProblem(cause, passphrase)}`, cause)
  }
}

function pfxProblem(error: unknown, passphrase: string | undefined): string {
  if (errorCode(error) === 'ERR_CRYPTO_UNSUPPORTED_OPERATION')
    return 'is encrypted in a way that OpenSSL no longer supports: export it again, with AES256-SHA256 as its encryption.'
  if (!/mac verify failure/.test(asError(error).message))
    return 'is not a PKCS #12 file (.pfx, .p12). For certificates in PEM there are --tls-cert and --tls-key.'
  return passphrase === undefined
    ? 'is encrypted: pass its passphrase with --tls-passphrase-file.'
    : 'does not open with the passphrase of --tls-passphrase-file.'
}

/** Guesses what a file that is not PEM contains. */
function adviceFor({ option, content, path }: NamedFile): string {
  const text = content.toString('latin1')
  if (content.length === 0) return 'The file is empty.'
  if (text.includes('PRIVATE KEY-----')) return 'It holds a private key: are the files swapped?'
  if (text.includes('-----BEGIN CERTIFICATE-----')) return 'It holds a certificate: are the files swapped?'
  if (content[0] !== 0x30) return 'Such a file has a line that starts with "-----BEGIN".'
  if (/\.(?:pfx|p12)$/i.test(path)) return 'It is probably a PKCS #12 file: pass it as --tls-pfx.'
  const command = option === '--tls-key' ? 'pkey' : 'x509'
  return `It is probably in DER: convert it with "openssl ${command} -inform der -in ${path} -out new.pem".`
}

/** Warning about a certificate that is used nevertheless. @returns `undefined` when there is nothing. */
export function validityWarning(
  { validFrom, validTo }: X509Certificate,
  now = Date.now(),
): string | undefined {
  if (Date.parse(validTo) < now) return `expired at ${validTo}`
  if (Date.parse(validFrom) > now) return `is not valid before ${validFrom}`
  return undefined
}

/** @throws CliError for problems that OpenSSL finds in their combination. */
export function checkContext(options: SecureContextOptions): void {
  try {
    createSecureContext(options)
  } catch (cause) {
    throw certificateError(`OpenSSL does not accept the TLS options: ${asError(cause).message}.`, cause)
  }
}

const nameOf = ({ option, path }: NamedFile): string => `${option} ${path}`

const oneLine = (subject = ''): string => subject.replaceAll('\n', ', ')

const certificateError = (message: string, cause?: unknown): CliError =>
  new CliError(EXIT.usage, message, { cause })
