/** The line of PowerShell that uploads to a URL. With a password it asks for one: Windows sends none by itself. */
export const powerShellLine = (url: string, hasPassword: boolean): string =>
  `Start-BitsTransfer -TransferType Upload -Source C:\\a.zip -Destination ${url}` +
  (hasPassword ? ' -Authentication Basic -Credential (Get-Credential)' : '')

/** The line of a command prompt that uploads to a URL. */
export const bitsadminLine = (url: string): string =>
  `bitsadmin /transfer job /upload /priority foreground ${url} C:\\a.zip`
