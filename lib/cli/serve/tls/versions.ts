/** The values of `--tls-min-version`, with Node's names for them. */
export const TLS_VERSIONS = { '1.0': 'TLSv1', '1.1': 'TLSv1.1', '1.2': 'TLSv1.2', '1.3': 'TLSv1.3' } as const

export type TlsVersion = keyof typeof TLS_VERSIONS
