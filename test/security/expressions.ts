import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'

export interface Expression {
  /** `lib/file.ts:12` */
  readonly place: string
  readonly source: string
  readonly flags: string
}

export interface Findings {
  readonly expressions: readonly Expression[]
  /** Expressions that are known only at run time, so that they cannot be checked. */
  readonly generated: readonly string[]
}

const ROOT = join(import.meta.dirname, '../..')

/** Finds all regular expressions in the TypeScript and JavaScript files of some folders of the project. */
export function expressionsOf(folders: readonly string[]): Findings {
  const expressions: Expression[] = []
  const generated: string[] = []
  for (const folder of folders) {
    for (const name of readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })) {
      if (!/\.[cm]?[jt]s$/.test(name)) continue
      const path = join(folder, name)
      const found = expressionsIn(path, readFileSync(join(ROOT, path), 'utf8'))
      expressions.push(...found.expressions)
      generated.push(...found.generated)
    }
  }
  return { expressions, generated }
}

/** Literals, and calls of `RegExp` with literal arguments. */
export function expressionsIn(path: string, text: string): Findings {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const expressions: Expression[] = []
  const generated: string[] = []
  const visit = (node: ts.Node): void => {
    const place = `${path}:${file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1}`
    if (ts.isRegularExpressionLiteral(node)) {
      const end = node.text.lastIndexOf('/')
      expressions.push({ place, source: node.text.slice(1, end), flags: node.text.slice(end + 1) })
    } else if (isRegExpCall(node)) {
      const words = (node.arguments ?? []).map((word) =>
        ts.isStringLiteralLike(word) ? word.text : undefined,
      )
      const [source, flags = ''] = words
      if (source === undefined || words.includes(undefined)) generated.push(`${place} ${node.getText(file)}`)
      else expressions.push({ place, source, flags })
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
  return { expressions, generated }
}

/** `new RegExp(…)`, `RegExp(…)`, and string methods that turn a string into an expression: `text.match('a+')`. */
function isRegExpCall(node: ts.Node): node is ts.NewExpression | ts.CallExpression {
  if (!ts.isNewExpression(node) && !ts.isCallExpression(node)) return false
  if (ts.isIdentifier(node.expression)) return node.expression.text === 'RegExp'
  if (!ts.isPropertyAccessExpression(node.expression)) return false
  const [first] = node.arguments ?? []
  const isString = first !== undefined && (ts.isStringLiteralLike(first) || ts.isTemplateExpression(first))
  return isString && ['match', 'matchAll', 'search'].includes(node.expression.name.text)
}
