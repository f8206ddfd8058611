import { readFileSync } from 'node:fs'
import { join, posix } from 'node:path'

const WELCOME = [
  /^(package\.json|(README|CHANGELOG|CONTRIBUTING|SECURITY)\.md|LICENSE)$/,
  /^docs\/[\w-]+\.(md|yml)$/,
  /^docs\/images\/[\w-]+\.png$/,
  /^dist\/[\w-]+\.(js|cjs|d\.ts|d\.cts)$/,
  /^dist\/(express-bits-upload\.service|THIRD-PARTY-LICENSES\.txt)$/,
  /^dist\/public\/[\w-]+\.(html|css|js|svg)$/,
]
const NEEDED = ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md']

/**
 * Problems with the file list of a tarball, one per line: unexpected files, or missing files that package.json points
 * to.
 */
export function unexpectedFiles(root, files) {
  const { exports, main, types, bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const needed = [...NEEDED, ...targets([exports, main, types, bin])]
  return [
    ...files
      .filter((file) => !WELCOME.some((pattern) => pattern.test(file)))
      .map((file) => `should not be published: ${file}`),
    ...needed.filter((file) => !files.includes(file)).map((file) => `is missing: ${file}`),
    ...brokenLinks(root, files),
  ]
}

/** Relative links in the documents of the tarball to files that it does not contain. */
function brokenLinks(root, files) {
  return files
    .filter((file) => file.endsWith('.md'))
    .flatMap((file) => {
      const text = readFileSync(join(root, file), 'utf8').replace(/^```.*?^```$/gms, '')
      const targets = [...text.matchAll(/\]\((?!https:|#)([^)\s#]+)/g)]
      return targets.map(([, target]) => ({ file, target, path: posix.join(posix.dirname(file), target) }))
    })
    .filter(({ path }) => !files.includes(path))
    .map(({ file, target }) => `${file} links to ${target}, which is not in the package`)
}

function targets(value) {
  if (typeof value === 'string') return [value.replace(/^\.\//, '')]
  return Object.values(value ?? {}).flatMap(targets)
}
