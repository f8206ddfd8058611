#!/usr/bin/env node
import { report, runCli } from './run-cli.js'

// The reader of the output may have closed it (`| head`), which is not an error.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
process.on('uncaughtException', (error) => process.exit(report(error)))

const exitCode = await runCli(process.argv)
// Output is flushed first. Then nothing that is left over, a request without a reader for example, delays the exit.
for (const stream of [process.stdout, process.stderr]) {
  await new Promise((resolve) => stream.write('', resolve))
}
process.exit(exitCode)
