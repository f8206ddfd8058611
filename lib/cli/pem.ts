import { createPrivateKey, X509Certificate } from 'node:crypto'
import { usageError } from './output.js'

/**
 * Refuses a file without certificates, which Node would silently accept as `ca`.
 *
 * @param option the flag that names the file, and `path` the file, for messages.
 * @throws CliError when it contains no certificate, or a damaged one.
 */
export function checkCertificates(option: string, path: string, pem: string): void {
  const certificates = pem.match(/-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]*-----END/g) ?? []
  if (certificates.length === 0) {
    throw usageError(`${option} ${path}: it contains no PEM certificate ("-----BEGIN CERTIFICATE-----").`)
  }
  for (const certificate of certificates) {
    try {
      new X509Certificate(`${certificate} CERTIFICATE-----\n`)
    } catch {
      throw usageError(`${option} ${path}: a certificate in it is damaged.`)
    }
  }
}

/**
 * @param certificate the PEM that the key belongs to; only its first certificate matters.
 * @throws CliError when it is not a private key, needs a password, or belongs to another certificate.
 */
export function checkKey(option: string, path: string, pem: string, certificate: string): void {
  if (/-----BEGIN ENCRYPTED|^Proc-Type:.*ENCRYPTED/m.test(pem)) {
    throw usageError(`${option} ${path}: the key has a password; use one without (openssl pkey -in ${path}).`)
  }
  if (!isKeyOf(option, path, pem, certificate)) {
    throw usageError(`${option} ${path}: the key belongs to another certificate.`)
  }
}

function isKeyOf(option: string, path: string, pem: string, certificate: string): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(pem))
  } catch {
    throw usageError(`${option} ${path}: it contains no PEM private key ("-----BEGIN PRIVATE KEY-----").`)
  }
}
