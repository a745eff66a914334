-- Sends a letter. KEYS: sessions. ARGV: id, letter, letters that may wait at most.
-- Number and letter are one write. 0: dead or unknown; -1: too many wait.
local stored = redis.call('HGET', KEYS[1], 's:' .. ARGV[1])
if not stored then return 0 end
local _, acked, state = string.match(stored, '^(%d+) (%d+) (%a+)$')
if state ~= 'alive' then return 0 end
local number = tonumber(redis.call('HGET', KEYS[1], 'n:' .. ARGV[1]) or '0') + 1
if number - tonumber(acked) > tonumber(ARGV[3]) then return -1 end
local name = string.format('%.0f', number)
redis.call('HSET', KEYS[1], 'n:' .. ARGV[1], name, 'm:' .. ARGV[1] .. ':' .. name, ARGV[2])
return number
