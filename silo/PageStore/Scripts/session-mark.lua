-- Marks a session dead. KEYS: sessions. ARGV: id, counter seen.
-- The mark is the first write and the deed; letters nobody will read follow. Of one dead already the mark is written again, so that
-- replicas acknowledge this writing, and what an earlier try left is removed.
-- 1 dead (or forgotten, which is the same), 0 its counter has moved.
local stored = redis.call('HGET', KEYS[1], 's:' .. ARGV[1])
if not stored then return 1 end
local counter, acked, state = string.match(stored, '^(%d+) (%d+) (%a+)$')
if state == 'alive' and counter ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 's:' .. ARGV[1], counter .. ' ' .. acked .. ' dead')
local last = tonumber(redis.call('HGET', KEYS[1], 'n:' .. ARGV[1]) or '0')
for number = tonumber(acked) + 1, last do
    redis.call('HDEL', KEYS[1], 'm:' .. ARGV[1] .. ':' .. string.format('%.0f', number))
end
redis.call('HDEL', KEYS[1], 'n:' .. ARGV[1], 'd:' .. ARGV[1])
return 1
