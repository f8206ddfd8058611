import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import ts from 'typescript'

const ROOT = join(import.meta.dirname, '../..')

/** Exported by two entry points: one for Node, one for browsers. */
const SHARED = ['uploadFile']

test('a top-level name, exported or private, is declared in only one file', () => {
  const declarations = ['lib', 'types', 'demo'].flatMap(declarationsIn)
  const repeated = [...groupByName(declarations)]
    .filter(([name]) => !SHARED.includes(name))
    .map(([name, found]) => [name, ...new Set(found.map(({ file }) => file))])
    .filter((found) => found.length > 2)
  expect(repeated).toEqual([])
  expect(declarations.length).toBeGreaterThan(1000)
})

interface Declaration {
  readonly name: string
  readonly file: string
}

function declarationsIn(folder: string): Declaration[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name))
    .flatMap((file) => {
      const text = readFileSync(join(ROOT, file), 'utf8')
      const { statements } = ts.createSourceFile(file, text, ts.ScriptTarget.Latest)
      return statements.flatMap((statement) => {
        return namesOf(statement).map((name) => ({ name, file }))
      })
    })
}

function namesOf(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.flatMap(({ name }) =>
      ts.isIdentifier(name)
        ? [name.text]
        : name.elements.flatMap((element) =>
            ts.isBindingElement(element) && ts.isIdentifier(element.name) ? [element.name.text] : [],
          ),
    )
  }
  const isNamed =
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement)
  return isNamed && statement.name ? [statement.name.text] : []
}

function groupByName(declarations: readonly Declaration[]): Map<string, Declaration[]> {
  const groups = new Map<string, Declaration[]>()
  for (const declaration of declarations) {
    groups.set(declaration.name, [...(groups.get(declaration.name) ?? []), declaration])
  }
  return groups
}
