-- mend_held: take an id out of those that wait for a unique key, if no job of it does.
--
-- KEYS[1]  the root
-- ARGV     unique key, id
-- Returns  1, or 0 if it was not there, or waits with good reason

local unique_key, id = ARGV[1], ARGV[2]
local f = job_fields(id, 'status', 'job_unique_key')
local has_ended = f[1] == 'COMPLETED' or f[1] == 'FAILED' or f[1] == 'CANCELLED'
if f[2] == unique_key and not has_ended then return 0 end
return redis.call('ZREM', root .. 'held:' .. unique_key, id)
