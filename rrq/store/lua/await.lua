-- await: tell a client when a job ends, or at once that it has ended.
--
-- KEYS[1]  the root
-- ARGV     id, the client's mailbox name, seconds until the wish expires
-- Returns  the job's status, or '' when there is no such job
-- Invariant: either the caller sees a terminal status here, or the step that ends the job finds
--          its wish.

local id = ARGV[1]
local status = redis.call('HGET', job_key(id), 'status')
if not status then return '' end
if status ~= 'COMPLETED' and status ~= 'FAILED' and status ~= 'CANCELLED' then
  redis.call('HSET', job_key(id), 'waited', '1')
  redis.call('SADD', root .. 'waiters:' .. id, ARGV[2])
  redis.call('EXPIRE', root .. 'waiters:' .. id, ARGV[3])
end
return status
