-- mend_twice_dead: leave a job that stands in a dead letter queue more than once there once, where
-- it came in last.
--
-- KEYS[1]  the root
-- ARGV     DLQ (bare), id
-- Returns  1, or 0 if it is not there more than once

local list, id = root .. 'dlq:' .. ARGV[1], ARGV[2]
local entries = #redis.call('LPOS', list, id, 'COUNT', 0)
if entries < 2 then return 0 end
redis.call('LREM', list, 1 - entries, id) -- from the tail
return 1
