-- Settles a commit whose outcome nobody knows. KEYS: record, target. ARGV: owner.
-- One write: seq moves on, so the commit, should it still come, finds another seq.
-- The seq after the move; -1 fenced, -4 there is no such target.
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return -1 end
if redis.call('HEXISTS', KEYS[2], 'seq') == 0 then return -4 end
return redis.call('HINCRBY', KEYS[2], 'seq', 1)
