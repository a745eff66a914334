-- Removes marks. KEYS: record, target. ARGV: owner, the seq seen of the target, names...
-- A store that has lost commits its owner has acknowledged may have something else under the names: nothing is removed there.
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
if tonumber(redis.call('HGET', KEYS[2], 'seq') or '0') < tonumber(ARGV[2]) then return 0 end
redis.call('HDEL', KEYS[2], unpack(ARGV, 3))
return 1
