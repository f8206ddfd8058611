import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import ts from 'typescript'
import { BLOCKS } from './blocks.js'
import { ROOT } from './temp-project.js'
import { useTempProject } from './use-temp-project.js'

const temp = useTempProject()

test('TypeScript blocks pass the compiler', async () => {
  const paths: string[] = []
  for (const found of BLOCKS) if (found.language === 'ts') paths.push(await temp.project.write(found))
  const config = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, ROOT)
  const program = ts.createProgram(paths, options)
  const problems = paths.flatMap((path) => {
    const file = program.getSourceFile(path)
    return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]
  })
  expect(problems.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))).toEqual([])
  expect(paths).toHaveLength(5)
})
