-- owned: which leases a worker holds as Redis sees it, for one that may have missed an answer.
--
-- KEYS[1]  the root
-- ARGV     worker id, offset into the lease set, most leases to look at
-- Returns  {leases looked at, {id, token, queue} of the worker's}

local seen = redis.call('ZRANGE', leases, ARGV[2], ARGV[2] + ARGV[3] - 1)
local owned = {}
for _, id in ipairs(seen) do
  local f = job_fields(id, 'worker_id', 'lease_token', 'queue_name')
  if f[1] == ARGV[1] and f[2] then owned[#owned + 1] = {id, f[2], bare(f[3] or '', queue_root)} end
end
return {#seen, owned}
