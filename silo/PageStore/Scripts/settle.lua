-- Settles a commit whose outcome nobody knows. KEYS: record, target. ARGV: owner, the seq the commit expects.
-- One write. Where the commit has not been, seq moves on by two, so that it finds another one should it still come, and so that whoever settles
-- again, because this answer was lost, sees that it has not been: by one it would have been moved by the commit itself. Where it has been, the same
-- seq is written again, for replicas to acknowledge.
-- The seq now: the one expected and one (the commit has taken effect) or two (it never will); -1 fenced, -2 another seq, -4 there is no such target.
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return -1 end
local seq = tonumber(redis.call('HGET', KEYS[2], 'seq') or '-1')
if seq == -1 then return -4 end
local sent = tonumber(ARGV[2])
if seq ~= sent and seq ~= sent + 1 and seq ~= sent + 2 then return -2 end
if seq == sent then seq = sent + 2 end
redis.call('HSET', KEYS[2], 'seq', string.format('%.0f', seq))
return seq
