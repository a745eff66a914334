-- A renewal. KEYS: sessions. ARGV: id, counter, letter acknowledged, letters at most, now, the newest heartbeat this silo has seen,
-- how far the store's may be behind it (all three in milliseconds).
-- Only the session itself moves its counter, so a counter behind the stored one is a repeat whose first answer was lost. It must move
-- the counter all the same: the lease is counted from this sending, and those who watch must see it.
-- The letters done go first, counter and heartbeat second, in one write: after a crash between, the repeat acknowledges them again and they are not there.
-- {0}: dead, or the stored counter is behind. {1, heartbeat, number, letter, number, letter...}
local beats, at = string.match(redis.call('HGET', KEYS[1], 'beat') or '0 0', '^(%d+) (%d+)$')
at = tonumber(at)
-- Not moved then: what tells that this is an old state must stay as it is for the others.
if at + tonumber(ARGV[7]) < tonumber(ARGV[6]) then return redis.error_reply(string.format('SETBACK %.0f', at)) end
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
local beat = string.format('%.0f %.0f', tonumber(beats) + 1, math.max(at, tonumber(ARGV[5])))
redis.call('HSET', KEYS[1], 's:' .. ARGV[1], string.format('%.0f %.0f alive', tonumber(counter) + 1, acked), 'beat', beat)
local answer = {1, beat}
for number = acked + 1, math.min(last, acked + tonumber(ARGV[4])) do
    local name = string.format('%.0f', number)
    local letter = redis.call('HGET', KEYS[1], 'm:' .. ARGV[1] .. ':' .. name)
    if letter then
        answer[#answer + 1] = name
        answer[#answer + 1] = letter
    end
end
return answer
