/** Header names of the protocol, spelled as on the real wire (MC-BUP 4). */
export const HEADER = {
  packetType: 'BITS-Packet-Type',
  supportedProtocols: 'BITS-Supported-Protocols',
  protocol: 'BITS-Protocol',
  sessionId: 'BITS-Session-Id',
  receivedContentRange: 'BITS-Received-Content-Range',
  replyUrl: 'BITS-Reply-URL',
  hostId: 'BITS-Host-Id',
  hostIdFallbackTimeout: 'BITS-Host-Id-Fallback-Timeout',
  /** D1: Win32 names it so, and so do all third parties. */
  errorCode: 'BITS-Error-Code',
  /** D1: MC-BUP names it so, and so does a Windows 2003 server. */
  error: 'BITS-Error',
  errorContext: 'BITS-Error-Context',
  contentRange: 'Content-Range',
  contentName: 'Content-Name',
} as const

/** A header value may be this many bytes long; Windows servers refuse longer ones (MC-BUP 2.2.1). */
export const MAX_HEADER_LENGTH = 4096

/** `0x` and eight hexadecimal digits, as `BITS-Error-Code` carries an HRESULT. */
export const formatHresult = (hresult: number): string =>
  `0x${hresult.toString(16).toUpperCase().padStart(8, '0')}`
