-- Frees blobs that no slot names, by what their owner has seen. KEYS: record, top layer, blobs... ARGV: owner, the seqs seen of record and top,
-- 1 where with these all is gone that owners before may have left.
-- A store that has lost commits its owner has acknowledged may name in its slots what those had freed: nothing is unlinked there.
-- How many were there; -1 another owner, -2 the store is behind.
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return -1 end
for i = 1, 2 do
  if tonumber(redis.call('HGET', KEYS[i], 'seq') or '0') < tonumber(ARGV[i + 1]) then return -2 end
end
local count = redis.call('UNLINK', unpack(KEYS, 3))
if ARGV[4] == '1' then redis.call('HDEL', KEYS[1], 'formers') end
return count
