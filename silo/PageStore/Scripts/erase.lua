-- The end of a VMO. KEYS: record, tombstone, layers... ARGV: owner, milliseconds the tombstone stands, its names and values.
-- The record goes last: while it stands the VMO is there, dying, and a repeat does all of this again. After any part of this the
-- record still hides the tombstone.
-- 1 erased (now or by an earlier try), 0 another owner.
local owner = redis.call('HGET', KEYS[1], 'owner')
if not owner then return redis.call('EXISTS', KEYS[2]) end
if owner ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[2], unpack(ARGV, 3))
redis.call('PEXPIRE', KEYS[2], ARGV[2])
if #KEYS > 2 then redis.call('UNLINK', unpack(KEYS, 3)) end
redis.call('UNLINK', KEYS[1])
return 1
