import { execFileSync } from 'node:child_process'

/**
 * The Node that runs the measured servers.
 *
 * @param version as npm names it, such as `24` or `latest`: npm's package `node` contains the program. `undefined` for
 *   the Node that runs the benchmark.
 */
export function nodeProgram(version: string | undefined): string {
  if (version === undefined) return process.execPath
  const printPath = 'process.stdout.write(process.execPath)'
  const args = ['exec', '--yes', `--package=node@${version}`, '--', 'node', '-e', printPath]
  return execFileSync('npm', args, { encoding: 'utf8' }).trim()
}
