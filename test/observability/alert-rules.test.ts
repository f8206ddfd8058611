import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'
import { Registry } from 'prom-client'
import { instrumentsOf } from '../../lib/metrics/instruments.js'
import { describeWithEngine } from '../support/engines.js'

const RULES = fileURLToPath(new URL('../../docs/alerts.yml', import.meta.url))

describeWithEngine(
  'promtool',
  () => spawnSync('promtool', ['--version']).status === 0,
  () => {
    test('accepts the alert rules', () => {
      expect(execFileSync('promtool', ['check', 'rules', RULES], { encoding: 'utf8' })).toContain('SUCCESS')
    })
  },
)

test('the alert rules use metrics that exist', async () => {
  const registry = new Registry()
  instrumentsOf(registry, 'bits_upload_')
  const exported = (await registry.getMetricsAsJSON()).map(({ name }) => name)
  const used = [...readFileSync(RULES, 'utf8').matchAll(/\bbits_upload_\w+/g)].map(([name]) =>
    name.replace(/_(?:bucket|count|sum)$/, ''),
  )
  expect(used.length).toBeGreaterThan(5)
  for (const name of used) expect(exported).toContain(name)
})
