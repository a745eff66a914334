-- Brings a VMO into being. KEYS: record, tombstone, layer. ARGV: counts of the layer's values and of the record's, the layer's names and
-- values, the record's.
-- The record comes last and makes the VMO; what a crash leaves before it is an orphan layer, which the repeat removes and writes anew.
-- 1 created, 0 something stands there.
if redis.call('EXISTS', KEYS[1], KEYS[2]) ~= 0 then return 0 end
local split = 2 + tonumber(ARGV[1])
redis.call('UNLINK', KEYS[3])
redis.call('HSET', KEYS[3], unpack(ARGV, 3, split))
redis.call('HSET', KEYS[1], unpack(ARGV, split + 1, split + tonumber(ARGV[2])))
return 1
