import { expect, test } from '@jest/globals'
import { block } from './blocks.js'
import { FILE, useTempProject } from './use-temp-project.js'

const temp = useTempProject()

test('Byte quotas: a fragment beyond the quota gets 503, and its bytes are not stored', async () => {
  const server = await temp.project.serve(block('js', { in: 'docs/limits.md#Byte quotas' }), {
    QUOTA: String(FILE.length + 100),
  })
  await temp.upload(server, 'first.zip')
  expect(await temp.read('uploads/first.zip')).toEqual(FILE)
  await expect(temp.upload(server, 'second.zip')).rejects.toMatchObject({ status: 503 })
  await expect(temp.read('uploads/second.zip')).rejects.toThrow('ENOENT')
})
