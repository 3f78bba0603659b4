--! use _wake _tally _history _end
-- cancel: end a waiting job, or ask the owner of a running one to stop it.
--
-- KEYS[1]  the root
-- ARGV     id, default result TTL in seconds, default queue (bare), unique_ttl_ms
-- Returns  'cancelled', 'requested' (it runs: its worker was told), 'missing', or the status of
--          a job that has already ended
-- Invariant: of a cancel and an end that race, the first to reach Redis wins.

local id = ARGV[1]
local key = job_key(id)
local f = redis.call('HMGET', key, 'status', 'queue_name', 'job_unique_key', 'result_ttl_seconds',
  'waited', 'worker_id', 'lease_token', 'function_name')
if not f[1] and redis.call('EXISTS', key) == 0 then return 'missing' end
unique_ttl_ms = tonumber(ARGV[4])
if redis.call('ZSCORE', leases, id) then
  redis.call('HSET', key, 'cancel_requested', iso(now))
  if f[6] then post(f[6], 'cancel ' .. (f[7] or '') .. ' ' .. id) end
  return 'requested'
end
if f[1] == 'COMPLETED' or f[1] == 'FAILED' or f[1] == 'CANCELLED' then return f[1] end
local queue = bare(f[2] or ARGV[3], queue_root)
redis.call('ZREM', queue_root .. queue, id)
if f[3] and f[3] ~= '' then redis.call('ZREM', root .. 'held:' .. f[3], id) end
mark_cancelled({id = id, queue = queue, function_name = f[8], unique_key = f[3], waited = f[5]},
  result_ttl(f[4], ARGV[2]))
write_tallies()
write_history()
return 'cancelled'
