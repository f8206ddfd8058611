#!/usr/bin/env node
import { report, runCli } from './run-cli.js'

// Whoever read what we write has gone (`| head`): that is no failure of ours.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
process.on('uncaughtException', (error) => process.exit(report(error)))

const exitCode = await runCli(process.argv)
// What was written goes out first; then nothing that is left over, a request that nobody waits for, keeps us.
for (const stream of [process.stdout, process.stderr]) {
  await new Promise((resolve) => stream.write('', resolve))
}
process.exit(exitCode)
