/** Says a line to whoever started us. The standard output is for data: the access log, a reply. */
export const printError = (line: string): void => {
  process.stderr.write(`${line}\n`)
}
