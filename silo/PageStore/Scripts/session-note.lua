-- Notes unfinished work. KEYS: sessions, the session's set. ARGV: id, koid.
-- Refused to the dead: whoever inherits has perhaps looked already, and a forgotten session's set would be read by nobody. Session 0 is the newborns', which is always read.
if ARGV[1] ~= '0' then
  local stored = redis.call('HGET', KEYS[1], 's:' .. ARGV[1])
  if not stored or string.sub(stored, -5) ~= 'alive' then return 0 end
end
redis.call('SADD', KEYS[2], ARGV[2])
return 1
