import { expect, jest, test } from '@jest/globals'
import { hasPostgres, startPostgres } from '../engines/postgres.js'
import { hasRedis, startRedis } from '../engines/redis.js'
import { describeWithEngine } from '../support/engines.js'
import { block } from './blocks.js'
import { FILE, useTempProject } from './use-temp-project.js'

jest.setTimeout(120_000)

const temp = useTempProject()

async function receives(section: string, env: Record<string, string>): Promise<void> {
  const server = await temp.project.serve(block('js', { in: `docs/shared-sessions.md#${section}` }), env)
  await temp.upload(server, 'logs/today.zip')
  expect(await temp.read('uploads/logs/today.zip')).toEqual(FILE)
}

describeWithEngine('the Redis example', hasRedis, () => {
  test('receives a file', async () => {
    const engine = await startRedis('node')
    try {
      await receives('Redis', { REDIS_URL: `redis://127.0.0.1:${engine.nodes[0]?.port}` })
    } finally {
      await engine.stop()
    }
  })
})

describeWithEngine('the PostgreSQL example', hasPostgres, () => {
  test('receives a file', async () => {
    const engine = await startPostgres()
    try {
      const DATABASE_URL = `postgres://bits@127.0.0.1:${engine.process.port}/postgres`
      await receives('PostgreSQL', { DATABASE_URL })
    } finally {
      await engine.stop()
    }
  })
})
