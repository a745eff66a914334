-- One commit. KEYS: record, target, blobs... ARGV: owner, seq expected, then the fields to set, seq among them.
-- No seq expected: the target is to come into being; one that is there already is as good.
-- One write, the HSET at the end: whatever dies before it has changed nothing, and it is one entry of the append-only file.
-- 1 applied, -1 fenced, -2 stale, -3 a blob is not there.
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return -1 end
local seq = redis.call('HGET', KEYS[2], 'seq')
if ARGV[2] == '' then
  if seq then return 1 end
elseif seq ~= ARGV[2] then
  return -2
end
if #KEYS > 2 and redis.call('EXISTS', unpack(KEYS, 3)) ~= #KEYS - 2 then return -3 end
redis.call('HSET', KEYS[2], unpack(ARGV, 3))
return 1
