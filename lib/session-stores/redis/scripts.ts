import { redisScript } from './connection.js'

/** Times are those of Redis, so the clocks of the servers may differ. Milliseconds. */
const REDIS_TIME = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function isAfterNow(field)
  return (tonumber(redis.call('HGET', KEYS[1], field)) or 0) > now
end`

/** KEYS: session, open, ended. ARGV: record, id, last activity, number of its index, TTL, whether it is counted. */
export const CREATE = redisScript(
  'create',
  `
if redis.call('HSETNX', KEYS[1], 'r', ARGV[1]) == 0 then return 0 end
if ARGV[6] == '1' then redis.call('HSET', KEYS[1], 'c', 1) end
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('ZADD', KEYS[tonumber(ARGV[4])], ARGV[3], ARGV[2])
return 1`,
)

/** KEYS: session. */
export const GET = redisScript('get', `return redis.call('HGET', KEYS[1], 'r')`)

/**
 * KEYS: session, open, ended. ARGV: record as it was read, record, id, last activity, number of its index, TTL, holder
 * of the lock. Returns 1 (2 for a counted session), 0 when the record has changed, -1 when there is none, and -2 when
 * the lock has another holder.
 */
export const UPDATE = redisScript(
  'update',
  `
local current = redis.call('HGET', KEYS[1], 'r')
if not current then return -1 end
if ARGV[7] ~= '' and redis.call('HGET', KEYS[1], 'l') ~= ARGV[7] then return -2 end
if current ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'r', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
local index = tonumber(ARGV[5])
redis.call('ZREM', KEYS[5 - index], ARGV[3])
redis.call('ZADD', KEYS[index], ARGV[4], ARGV[3])
return redis.call('HEXISTS', KEYS[1], 'c') + 1`,
)

/** KEYS: session, open, ended. ARGV: id. Keeps the lock. Returns the record of a counted session. */
export const DELETE = redisScript(
  'delete',
  `${REDIS_TIME}
local record = redis.call('HEXISTS', KEYS[1], 'c') == 1 and redis.call('HGET', KEYS[1], 'r')
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
if isAfterNow('u') then
  redis.call('HDEL', KEYS[1], 'r', 'c')
  redis.call('PEXPIRE', KEYS[1], redis.call('HGET', KEYS[1], 'u') - now)
else
  redis.call('DEL', KEYS[1])
end
return record`,
)

/** KEYS: indices of one shard. ARGV: the upper limit of the last activity, as Redis writes limits. */
export const LIST = redisScript(
  'list',
  `
local ids = {}
for _, key in ipairs(KEYS) do
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', key, '-inf', ARGV[1])) do ids[#ids + 1] = id end
end
return ids`,
)

/** KEYS: open, ended, sessions. ARGV: their ids. Removes sessions from the indices that Redis has forgotten. */
export const FETCH = redisScript(
  'fetch',
  `
local records = {}
for n, id in ipairs(ARGV) do
  local record = redis.call('HGET', KEYS[n + 2], 'r')
  if record then
    records[#records + 1] = record
  else
    redis.call('ZREM', KEYS[1], id)
    redis.call('ZREM', KEYS[2], id)
  end
end
return records`,
)

/**
 * KEYS: counted sessions of a user. ARGV: id, maximum, TTL, time for which a session is assumed to exist. Takes a
 * place: returns -1, or -2 when the session has one. Otherwise the number of sessions, and the ids of those to check.
 */
export const TAKE_PLACE = redisScript(
  'take-place',
  `${REDIS_TIME}
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then return { -2 } end
local count = redis.call('ZCARD', KEYS[1])
if count < tonumber(ARGV[2]) then
  redis.call('ZADD', KEYS[1], now, ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return { -1 }
end
local answer = { count }
local doubtful = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[4], 'LIMIT', 0, 100)
for _, id in ipairs(doubtful) do
  redis.call('ZADD', KEYS[1], now, id)
  answer[#answer + 1] = id
end
return answer`,
)

/** KEYS: counted sessions of a user. ARGV: id. */
export const FREE_PLACE = redisScript('free-place', `return redis.call('ZREM', KEYS[1], ARGV[1])`)

/** KEYS: session. ARGV: holder, lease, for how long to ask its holder to give way (0: not at all). */
export const LOCK = redisScript(
  'lock',
  `${REDIS_TIME}
if isAfterNow('u') then
  if ARGV[3] ~= '0' then redis.call('HSET', KEYS[1], 'w', now + ARGV[3]) end
  return 0
end
redis.call('HSET', KEYS[1], 'l', ARGV[1], 'u', now + ARGV[2])
redis.call('HDEL', KEYS[1], 'w')
if redis.call('HEXISTS', KEYS[1], 'r') == 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1`,
)

/** KEYS: session. ARGV: holder, lease. Returns 0 when the lock is lost, 2 when another process wants it, otherwise 1. */
export const RENEW = redisScript(
  'renew',
  `${REDIS_TIME}
if redis.call('HGET', KEYS[1], 'l') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'u', now + ARGV[2])
if redis.call('HEXISTS', KEYS[1], 'r') == 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return isAfterNow('w') and 2 or 1`,
)

/** KEYS: session. ARGV: holder. */
export const UNLOCK = redisScript(
  'unlock',
  `
if redis.call('HGET', KEYS[1], 'l') ~= ARGV[1] then return 0 end
if redis.call('HEXISTS', KEYS[1], 'r') == 0 then return redis.call('DEL', KEYS[1]) end
return redis.call('HDEL', KEYS[1], 'l', 'u', 'w')`,
)

/** KEYS: probe. Fails where nothing can be written: a replica, or a memory that is full. */
export const PROBE = redisScript('probe', `return redis.call('SET', KEYS[1], 1, 'PX', 60000)`)
