-- mend_token: have the counter of lease tokens be no lower than a token that was given out.
--
-- KEYS[1]  the root
-- ARGV     the highest token that was seen
-- Returns  1, or 0 if the counter is as high already
-- Invariant: the counter only grows.

local counter, seen = root .. 'lease:token', tonumber(ARGV[1])
if (tonumber(redis.call('GET', counter) or 0) or 0) >= seen then return 0 end
redis.call('SET', counter, string.format('%d', seen))
return 1
