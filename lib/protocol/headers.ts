/** Header names of the protocol, spelled as on the wire (MC-BUP 4). */
export const HEADER = {
  packetType: 'BITS-Packet-Type',
  supportedProtocols: 'BITS-Supported-Protocols',
  protocol: 'BITS-Protocol',
  sessionId: 'BITS-Session-Id',
  receivedContentRange: 'BITS-Received-Content-Range',
  replyUrl: 'BITS-Reply-URL',
  hostId: 'BITS-Host-Id',
  hostIdFallbackTimeout: 'BITS-Host-Id-Fallback-Timeout',
  /** D1: the name in Win32, and in all third-party implementations. */
  errorCode: 'BITS-Error-Code',
  /** D1: the name in MC-BUP, and in Windows Server 2003. */
  error: 'BITS-Error',
  errorContext: 'BITS-Error-Context',
  contentRange: 'Content-Range',
  contentName: 'Content-Name',
} as const

/** Maximum length of a header value in bytes; Windows servers refuse longer ones (MC-BUP 2.2.1). */
export const MAX_HEADER_LENGTH = 4096

/** `0x` and eight hexadecimal digits, the form of an HRESULT in `BITS-Error-Code`. */
export const formatHresult = (hresult: number): string =>
  `0x${hresult.toString(16).toUpperCase().padStart(8, '0')}`
