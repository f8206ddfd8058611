/**
 * The PowerShell command that uploads to a URL. For a server with passwords it prompts for one: Windows sends none by
 * itself.
 */
export const powerShellLine = (url: string, hasPassword: boolean): string =>
  `Start-BitsTransfer -TransferType Upload -Source C:\\a.zip -Destination ${url}` +
  (hasPassword ? ' -Authentication Basic -Credential (Get-Credential)' : '')

/** The Command Prompt command that uploads to a URL. */
export const bitsadminLine = (url: string): string =>
  `bitsadmin /transfer job /upload /priority foreground ${url} C:\\a.zip`
