-- Opens a session. KEYS: sessions. ARGV: id, state, description, connections' name. 0: the id is known already.
if redis.call('HEXISTS', KEYS[1], 's:' .. ARGV[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 's:' .. ARGV[1], ARGV[2], 'n:' .. ARGV[1], '0', 'd:' .. ARGV[1], ARGV[3], 'c:' .. ARGV[1], ARGV[4])
return 1
