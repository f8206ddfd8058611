import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const WELCOME = [
  /^(package\.json|README\.md|LICENSE|CHANGELOG\.md)$/,
  /^dist\/[\w-]+\.(js|cjs|d\.ts|d\.cts)$/,
  /^dist\/express-bits-upload\.service$/,
  /^dist\/public\/[\w-]+\.(html|css|js|svg)$/,
]
const NEEDED = ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md']

/** What is wrong with a tarball's list of files, a line each: too much in it, or less than package.json points to. */
export function unexpectedFiles(root, files) {
  const { exports, main, types, bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const needed = [...NEEDED, ...targets([exports, main, types, bin])]
  return [
    ...files
      .filter((file) => !WELCOME.some((pattern) => pattern.test(file)))
      .map((file) => `should not be published: ${file}`),
    ...needed.filter((file) => !files.includes(file)).map((file) => `is missing: ${file}`),
  ]
}

function targets(value) {
  if (typeof value === 'string') return [value.replace(/^\.\//, '')]
  return Object.values(value ?? {}).flatMap(targets)
}
