-- Writes the store's identity if there is none. KEYS: identity. ARGV: names and values. What stands there then.
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('HSET', KEYS[1], unpack(ARGV)) end
return redis.call('HGETALL', KEYS[1])
