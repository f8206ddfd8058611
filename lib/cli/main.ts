#!/usr/bin/env node
import { report, runCli } from './run-cli.js'

// The reader of the output may have closed it (`| head`), which is not an error.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
process.on('uncaughtException', (error) => process.exit(report(error)))

const exitCode = await runCli(process.argv)
// Flush the output, then exit immediately: nothing left over, such as an unread request, may delay that.
for (const stream of [process.stdout, process.stderr]) {
  await new Promise((resolve) => stream.write('', resolve))
}
process.exit(exitCode)
