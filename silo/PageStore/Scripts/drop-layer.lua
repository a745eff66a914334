-- Removes a frozen layer whose blobs are gone. KEYS: record, the layer, the layer that names it. ARGV: owner, that one's field, its new value.
-- First it is not named any more, then it goes: whatever dies between leaves a layer that nobody looks through.
-- 1 done (now or by an earlier try), 0 another owner.
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[3], ARGV[2], ARGV[3])
redis.call('UNLINK', KEYS[2])
return 1
