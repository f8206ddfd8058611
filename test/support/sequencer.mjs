import TestSequencer from '@jest/test-sequencer'

/**
 * Stores the durations and failures of all projects at once. Jest writes a file for each project, with only its own
 * results; the projects here share its name, so the last one would replace the others.
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
