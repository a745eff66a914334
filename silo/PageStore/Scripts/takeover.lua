-- Puts the next owner in the place of the expected one. KEYS: record. ARGV: expected, next.
-- A repeat finds itself there already and says so; it writes again, so that replicas acknowledge this writing.
-- {taken, owner found}
local found = redis.call('HGET', KEYS[1], 'owner')
if not found then return {0, ''} end
if found ~= ARGV[1] and found ~= ARGV[2] then return {0, found} end
redis.call('HSET', KEYS[1], 'owner', ARGV[2])
return {1, ARGV[1]}
