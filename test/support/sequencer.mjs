import TestSequencer from '@jest/test-sequencer'

/**
 * Stores durations and failures of all projects at once. Jest writes a file for each project, with the results of that
 * project alone; ours share the name of that file, so the last one would replace the others.
 */
export default class OneFileSequencer extends TestSequencer {
  cacheResults(tests, results) {
    const [first] = tests
    if (!first) return
    const { context } = first
    const sameProject = tests.map((test) => ({ ...test, context }))
    new TestSequencer().cacheResults(sameProject, results)
  }
}
