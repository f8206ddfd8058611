/** Commands that upload from Windows to this server, one per line. */
export const windowsCommands = (origin: string): string[] => [
  'Upload from Windows, in PowerShell',
  `  Start-BitsTransfer -TransferType Upload -Source C:\\path\\report.zip -Destination ${origin}/uploads/report.zip`,
  'or in a command prompt',
  `  bitsadmin /transfer report /upload /priority foreground ${origin}/uploads/report.zip C:\\path\\report.zip`,
  'A .csv or .xml is answered with a report, which upload-reply jobs receive, and the page shows.',
]
