/** HRESULTs of the protocol, by their names in the Windows headers. */
export const HRESULT = {
  E_FAIL: 0x80004005,
  ERROR_FILE_NOT_FOUND: 0x80070002,
  ERROR_PATH_NOT_FOUND: 0x80070003,
  E_ACCESSDENIED: 0x80070005,
  ERROR_TOO_MANY_SESS: 0x80070045,
  ERROR_FILE_EXISTS: 0x80070050,
  E_INVALIDARG: 0x80070057,
  ERROR_DISK_FULL: 0x80070070,
  /** As in MC-BUP 3.3.6; the Windows header gives this number another name. */
  NOTIFICATION_TIMEOUT: 0x80070112,
  /** HRESULT of ERROR_WINHTTP_CANNOT_CONNECT. */
  CANNOT_CONNECT: 0x80072efd,
  /** HRESULT of ERROR_WINHTTP_CONNECTION_ERROR. */
  CONNECTION_ERROR: 0x80072efe,
  BG_E_SESSION_NOT_FOUND: 0x8020001f,
  BG_E_TOO_LARGE: 0x80200020,
  BG_E_CLIENT_SERVER_PROTOCOL_MISMATCH: 0x80200022,
  BG_E_SERVER_EXECUTE_ENABLED: 0x80200023,
} as const

/** The HRESULT that a Windows client derives from a plain HTTP status (Win32 bits-return-values). */
export const hresultOfStatus = (status: number): number => 0x80190000 + status
