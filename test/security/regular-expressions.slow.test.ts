import { beforeAll, expect, test } from '@jest/globals'
import { leastTime } from '../support/least-time.js'
import { type Analysis, analyse, worstInputs } from './attack-strings.js'
import { type Expression, expressionsIn, expressionsOf } from './expressions.js'

/** Size in bytes of the longest head that Node reads by default: URL and headers together. */
const INPUT_LENGTH = 16 * 1024
/** Milliseconds. */
const LIMIT = 5
/** Lengths to try first: an exponential expression would never finish with the full length. */
const STEPS = [22, 44, 66, 88, 110, 132, 1000]

const { expressions, generated } = expressionsOf(['lib', 'demo', 'types'])
const SLOW = ['[. ]+$', '^(?:a|a)*$', '^\\s*([^=]*?)\\s*=', '^(?:\\/|%(?:25)*(?:2f|2f))+$']
const analyses = new Map<string, Analysis>()

beforeAll(() => {
  const all = [...expressions, ...SLOW.map((source) => ({ place: '', source, flags: '' }))]
  for (const [n, analysis] of analyse(all).entries()) {
    const { source = '', flags = '' } = all[n] ?? {}
    analyses.set(`/${source}/${flags}`, analysis)
  }
}, 300_000)

test('the search finds literals and calls of RegExp in the source', () => {
  const generatedCall = ['RegExp(`c$', '{1}`)'].join('')
  const text = `const a = /a+/gi\nconst b = new RegExp('b', 'u')\n${generatedCall}\n'text'.match('d')\nx.split(/e/)`
  expect(expressionsIn('a.ts', text)).toEqual({
    expressions: [
      { place: 'a.ts:1', source: 'a+', flags: 'gi' },
      { place: 'a.ts:2', source: 'b', flags: 'u' },
      { place: 'a.ts:4', source: 'd', flags: '' },
      { place: 'a.ts:5', source: 'e', flags: '' },
    ],
    generated: [`a.ts:3 ${generatedCall}`],
  })
  expect(expressions.length).toBeGreaterThan(50)
})

test('no expression is generated: write a literal, or a loop', () => {
  expect(generated).toEqual([])
})

test.each(SLOW)('the attacks expose the slow expression %s', (source) => {
  expect(problemsOf({ place: '', source, flags: '' })).toHaveLength(2)
})

test.each(expressions)(
  '$place: /$source/$flags takes less than 5 ms on 16 KB of its worst input',
  (expression) => {
    expect(problemsOf(expression)).toEqual([])
  },
)

function problemsOf(expression: Expression): string[] {
  const analysis = analyses.get(`/${expression.source}/${expression.flags}`)
  if (!analysis) throw new Error('The expression was not analysed.')
  const slow = worstInputs(analysis, INPUT_LENGTH).find((input) => isSlow(expression, input))
  return [
    ...(analysis.status === 'safe' ? [] : [`the analysis says: ${analysis.status}`]),
    ...(slow === undefined ? [] : [`slow on ${JSON.stringify(slow.slice(0, 40))}...`]),
  ]
}

function isSlow({ source, flags }: Expression, input: string): boolean {
  return [...STEPS, input.length].some((length) => {
    const piece = input.slice(-length)
    const attempt = () => {
      const pattern = new RegExp(source, flags)
      return pattern.global ? piece.replace(pattern, '') : pattern.test(piece)
    }
    return leastTime(attempt, LIMIT) >= LIMIT
  })
}
