-- Gives a VMO up if it is still this owner's. KEYS: record. ARGV: owner, the released owner, 1 where no owner before has left anything.
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'owner', ARGV[2])
if ARGV[3] == '1' then redis.call('HDEL', KEYS[1], 'formers') end
return 1
