--! use _wake
-- resume: let the jobs of a paused queue run again, and wake the workers that it takes.
--
-- KEYS[1]  the root
-- ARGV     queue (bare)
-- Returns  1 if the queue was paused, else 0
-- Invariant: no job of the queue that is due waits while a worker is parked on the queue.

local queue = ARGV[1]
if redis.call('SREM', root .. 'paused', queue) == 0 then return 0 end
local due = redis.call('ZCOUNT', queue_root .. queue, '-inf', score(now))
-- One more: parked workers sleep until a time that they were told without this queue.
local waking = math.min(due + 1, redis.call('ZCARD', root .. 'idle:' .. queue))
for _ = 1, waking do wake(queue) end
return 1
