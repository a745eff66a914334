-- Writes a part of the store's identity if there is none. KEYS: identity or sessions. ARGV: the field that tells, names and values.
-- What stands there then.
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then redis.call('HSET', KEYS[1], unpack(ARGV, 2)) end
return redis.call('HGETALL', KEYS[1])
