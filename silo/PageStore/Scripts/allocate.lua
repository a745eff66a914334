-- Takes koids. KEYS: koids. ARGV: how many. The last one.
return redis.call('INCRBY', KEYS[1], ARGV[1])
