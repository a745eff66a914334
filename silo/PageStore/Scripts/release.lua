-- Gives a VMO up if it is still this owner's. KEYS: record. ARGV: owner, the released owner.
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'owner', ARGV[2])
return 1
