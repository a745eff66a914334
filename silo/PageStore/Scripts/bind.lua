-- Binds a creation's request to a koid. KEYS: request. ARGV: koid proposed, milliseconds it is kept. The koid that stands there.
if redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2], 'NX') then return ARGV[1] end
return redis.call('GET', KEYS[1])
