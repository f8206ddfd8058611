import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { requestOptions } from '../../lib/cli/send/request-options.js'
import { Authority } from '../support/certificates.js'
import { fixtures } from '../support/fixtures.js'

const { directory } = fixtures()

test('send refuses unusable certificates and keys', async () => {
  const folder = await directory()
  const authority = await Authority.create(folder)
  const one = await authority.issue('one')
  const other = await authority.issue('other')
  const write = async (name: string, content: string) => {
    await writeFile(join(folder, name), content)
    return join(folder, name)
  }
  const text = await write('text', 'not a certificate')
  const damaged = await write('damaged', one.cert.replace(/\nM/, '\nX'))
  const bundle = await write('bundle', `# ours\n${one.cert}\n${authority.own.cert}`)
  const locked = join(folder, 'locked')
  execFileSync('openssl', ['pkey', '-in', one.keyFile, '-aes256', '-passout', 'pass:x', '-out', locked])

  const read = (flags: Parameters<typeof requestOptions>[0]) =>
    requestOptions(flags, new URL('https://host/'), () => {})
  const { certFile: cert, keyFile: key } = one
  await expect(read({ ca: bundle, cert, key })).resolves.toMatchObject({
    request: { tls: { cert: one.cert } },
  })
  for (const [flags, message] of [
    [{ ca: text }, /^--ca .*text: it contains no PEM certificate/],
    [{ ca: key }, /^--ca .*one\.key: it contains no PEM certificate/],
    [{ ca: damaged }, /^--ca .*damaged: a certificate in it is damaged\.$/],
    [{ cert: text, key }, /^--cert .*text: it contains no PEM certificate/],
    [{ cert, key: cert }, /^--key .*one\.pem: it contains no PEM private key/],
    [{ cert, key: other.keyFile }, /^--key .*other\.key: the key belongs to another certificate\.$/],
    [{ cert, key: locked }, /^--key .*locked: the key has a password; use one without/],
  ] as const) {
    await expect(read(flags)).rejects.toThrow(message)
  }
})
