// Each CommonJS file of the package contains its own BitsError. Errors of one must keep their meaning in another.
const assert = require('node:assert/strict')
const { BitsError } = require('express-bits-upload')
const { fromRedis, RedisSessionStore } = require('express-bits-upload/redis')

async function main() {
  const gone = async () => {
    throw new Error('no connection')
  }
  const store = new RedisSessionStore({ redis: fromRedis({ evalSha: gone, eval: gone }) })
  await assert.rejects(
    async () => store.get('0'.repeat(32)),
    (error) => error instanceof BitsError && error.status === 503 && error.hresult === 0x801901f7,
  )
  console.log('CJS: errors of a sub-path are BitsErrors')
}

void main()
