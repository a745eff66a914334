-- Forgets a dead session that has nothing unfinished any more. KEYS: sessions, the session's set. ARGV: id.
-- 1 forgotten or unknown, 0 it still has an estate, or lives.
local stored = redis.call('HGET', KEYS[1], 's:' .. ARGV[1])
if not stored then return 1 end
if string.sub(stored, -4) ~= 'dead' or redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
redis.call('HDEL', KEYS[1], 's:' .. ARGV[1], 'n:' .. ARGV[1], 'd:' .. ARGV[1], 'c:' .. ARGV[1])
return 1
