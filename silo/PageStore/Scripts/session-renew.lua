-- A renewal. KEYS: sessions. ARGV: id, counter, letter acknowledged, letters at most.
-- Only the session itself moves its counter, so a counter behind the stored one is a repeat whose first answer was lost. It must move
-- the counter all the same: the lease is counted from this sending, and those who watch must see it.
-- The letters done go first, the counter second: after a crash between, the repeat acknowledges them again and they are not there.
-- {0}: dead. {1, number, letter, number, letter...}
local stored = redis.call('HGET', KEYS[1], 's:' .. ARGV[1])
if not stored then return {0} end
local counter, acked, state = string.match(stored, '^(%d+) (%d+) (%a+)$')
if state ~= 'alive' or tonumber(counter) < tonumber(ARGV[2]) then return {0} end
acked = tonumber(acked)
local last = tonumber(redis.call('HGET', KEYS[1], 'n:' .. ARGV[1]) or '0')
local done = math.min(tonumber(ARGV[3]), last)
while acked < done do
    acked = acked + 1
    redis.call('HDEL', KEYS[1], 'm:' .. ARGV[1] .. ':' .. string.format('%.0f', acked))
end
redis.call('HSET', KEYS[1], 's:' .. ARGV[1], string.format('%.0f %.0f alive', tonumber(counter) + 1, acked))
local answer = {1}
for number = acked + 1, math.min(last, acked + tonumber(ARGV[4])) do
    local name = string.format('%.0f', number)
    local letter = redis.call('HGET', KEYS[1], 'm:' .. ARGV[1] .. ':' .. name)
    if letter then
        answer[#answer + 1] = name
        answer[#answer + 1] = letter
    end
end
return answer
