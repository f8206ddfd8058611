import { escapeControls } from '../logging/escape-controls.js'

/** Prints a message for the user on standard error; standard output is for data: the access log or a reply. */
export const printError = (line: string): void => {
  process.stderr.write(`${escapeControls(line, { keepLineBreaks: true })}\n`)
}
