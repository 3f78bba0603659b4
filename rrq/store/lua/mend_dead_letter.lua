-- mend_dead_letter: take a job out of a dead letter queue that is not dead.
--
-- KEYS[1]  the root
-- ARGV     DLQ (bare), id
-- Returns  1, or 0 if it was not there, or is dead

local dlq, id = ARGV[1], ARGV[2]
local status = job_fields(id, 'status')[1]
if not status or status == 'FAILED' then return 0 end
return redis.call('LREM', root .. 'dlq:' .. dlq, 0, id) > 0 and 1 or 0
