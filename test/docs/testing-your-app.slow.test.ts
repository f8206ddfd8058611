import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from '@jest/globals'
import { BLOCKS } from './blocks.js'
import { useTempProject } from './use-temp-project.js'

const temp = useTempProject()
const found = BLOCKS.filter(({ file }) => file === 'docs/testing-your-app.md')

test.each(found.map((block) => [block.section, block] as const))(
  '%s: the test passes',
  async (_section, block) => {
    const path = await temp.project.write(block)
    const { stdout } = await promisify(execFile)(process.execPath, ['--test', path], {
      cwd: temp.project.cwd,
      env: { PATH: process.env.PATH },
    })
    expect(stdout).toMatch(/ pass 1$/m)
    expect(stdout).toMatch(/ fail 0$/m)
  },
)
