/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  modulePathIgnorePatterns: ['<rootDir>/test/consumers/'],
  maxWorkers: 2,
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '\\.ts$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2023' },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  moduleNameMapper: {
    '^express-bits-upload$': '<rootDir>/lib/index.ts',
    '^express-bits-upload/client$': '<rootDir>/lib/client/index.ts',
    '^express-bits-upload/testing$': '<rootDir>/lib/testing/index.ts',
    '^express-bits-upload/s3$': '<rootDir>/lib/storage/s3/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  // The command line is tested in processes of its own, into which this cannot see.
  collectCoverageFrom: ['lib/**/*.ts', '!lib/cli/**'],
  coverageProvider: 'v8',
  coverageReporters: ['text', 'lcovonly'],
  coverageThreshold: { global: { lines: 95 } },
  testTimeout: 30_000,
}
