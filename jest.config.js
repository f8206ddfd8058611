/** @type {import('jest').Config} */
const common = {
  // Projects with the same id share the transform cache: each file is transformed once, not once per project.
  id: 'express-bits-upload',
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  modulePathIgnorePatterns: ['<rootDir>/test/consumers/'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '\\.ts$': '<rootDir>/test/support/transform.mjs',
  },
  setupFilesAfterEnv: ['<rootDir>/test/support/byte-equality.mjs'],
  moduleNameMapper: {
    '^express-bits-upload$': '<rootDir>/lib/index.ts',
    '^express-bits-upload/(client|testing|negotiate|metrics|opentelemetry|multer)$':
      '<rootDir>/lib/$1/index.ts',
    '^express-bits-upload/s3$': '<rootDir>/lib/storage/s3/index.ts',
    '^express-bits-upload/dashboard$': '<rootDir>/lib/dashboard/index.ts',
    '^express-bits-upload/(redis|postgres)$': '<rootDir>/lib/session-stores/$1/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
}

/** For tests that start the command line. */
const programs = {
  globalSetup: '<rootDir>/test/support/programs/bundle.mjs',
  globalTeardown: '<rootDir>/test/support/programs/remove.mjs',
}

const SLOW = '\\.slow\\.test\\.ts$'

/** Folders of `test`, each named for its subject. All others hold unit tests. */
const FOLDERS = {
  server: ['auth', 'delivery', 'limits', 'multi-process', 'observability', 'protocol', 'proxies', 'verb'],
  client: ['browser', 'client'],
  cli: ['cli'],
  docs: ['docs'],
  demo: ['dashboard', 'demo'],
}

const fast = Object.entries(FOLDERS).map(([displayName, folders]) => ({
  ...common,
  ...(['cli', 'docs'].includes(displayName) && programs),
  displayName,
  testMatch: folders.map((folder) => `<rootDir>/test/${folder}/**/*.test.ts`),
  testPathIgnorePatterns: [SLOW],
}))

const unit = {
  ...common,
  displayName: 'unit',
  testMatch: ['**/*.test.ts'],
  testPathIgnorePatterns: [
    SLOW,
    '<rootDir>/test/windows/',
    '<rootDir>/test/engines/',
    ...Object.values(FOLDERS).flatMap((names) => names.map((name) => `<rootDir>/test/${name}/`)),
  ],
}

const slow = { ...common, ...programs, displayName: 'slow', testMatch: ['**/*.slow.test.ts'] }

/** They need services, and take minutes. */
const engines = {
  ...common,
  displayName: 'engines',
  testMatch: ['<rootDir>/test/engines/**/*.test.ts'],
}

/** They need Wine, and a build. */
const windows = {
  ...common,
  displayName: 'windows',
  testMatch: ['<rootDir>/test/windows/**/*.test.ts'],
}

/** @type {import('jest').Config} */
export default {
  projects: [unit, ...fast, slow, engines, windows],
  testSequencer: '<rootDir>/test/support/sequencer.mjs',
  // One more than the smallest machine has cores: tests also wait for processes, files and timers.
  maxWorkers: 3,
  testTimeout: 60_000,
  // Node keeps the modules of each test file in memory, and each makes garbage collection slower: a new worker is cheaper.
  workerIdleMemoryLimit: '300MB',
  // Coverage excludes what runs in other processes or in browsers, and slow tests, which run the session stores on real
  // engines.
  collectCoverageFrom: [
    'lib/**/*.ts',
    '!lib/cli/**',
    '!lib/browser/**',
    '!lib/session-stores/{redis,postgres}/**',
  ],
  coverageProvider: 'v8',
  coverageReporters: ['text', 'lcovonly'],
  coverageThreshold: { global: { lines: 95 } },
}
