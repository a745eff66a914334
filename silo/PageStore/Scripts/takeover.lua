-- Puts the next owner in the place of the expected one. KEYS: record. ARGV: expected, next, the nonce of who may have left something or ''.
-- A repeat finds itself there already and says so; it writes again, so that replicas acknowledge this writing.
-- That one is remembered among the last sixteen: only who takes the VMO knows that what it wrote ahead will never be named.
-- {taken, owner found}
local found = redis.call('HGET', KEYS[1], 'owner')
if not found then return {0, ''} end
if found ~= ARGV[1] and found ~= ARGV[2] then return {0, found} end
local formers = redis.call('HGET', KEYS[1], 'formers') or ''
if found == ARGV[1] and ARGV[3] ~= '' and string.sub(formers, -8) ~= ARGV[3] then
  redis.call('HSET', KEYS[1], 'owner', ARGV[2], 'formers', string.sub(formers .. ARGV[3], -128))
else
  redis.call('HSET', KEYS[1], 'owner', ARGV[2])
end
return {1, ARGV[1]}
