-- Stands before each script that writes without being fenced by an owner: nothing is begun in another store than the silo's, nor in one that
-- was emptied. The last key is the sessions' hash, the last argument the store's id; an empty one says that the hash lies on another node.
if ARGV[#ARGV] ~= '' and redis.call('HGET', KEYS[#KEYS], 'store') ~= ARGV[#ARGV] then
  return redis.error_reply('OTHERSTORE this is not the store the silo works on')
end
