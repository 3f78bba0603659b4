--! use _wake _tally _history _end _as_seen
-- mend_lost: bring a job back that is in no queue, and that no worker can end.
--
-- KEYS[1]  the root
-- ARGV     the job as it was seen (`_as_seen.lua`), '1' if its worker counts as lost, its queue
--          (bare), due_ms, default DLQ, default result TTL in seconds, DLQ TTL in seconds,
--          max_lost, unique_ttl_ms
-- Returns  1, or 0 if the job is not as it was seen: nothing was done then
-- Invariant: a job that was in no place is in its queue, or ended.

if not is_as_seen() then return 0 end
local is_lost, queue = ARGV[own] == '1', ARGV[own + 1]
local policy = {
  dlq = ARGV[own + 3], result_ttl = ARGV[own + 4], dlq_ttl = tonumber(ARGV[own + 5]),
  max_lost = tonumber(ARGV[own + 6]),
}
unique_ttl_ms = tonumber(ARGV[own + 7])

redis.call('ZREM', leases, id)
redis.call('SADD', root .. 'queues', queue)
redis.call('HSET', key, 'queue_name', queue)
if is_lost then
  local f = redis.call('HMGET', key, 'worker_id', 'job_unique_key', 'result_ttl_seconds',
    'current_retries', 'waited', 'cancel_requested', 'dlq_name', 'lost_count', 'function_name')
  local cause = 'nobody had a lease of it'
  remember_attempt(id, cjson.encode({outcome = 'lost', error = cause, worker = f[1] or 'unknown'}))
  redis.call('HDEL', key, 'lease_token')
  lose({id = id, queue = queue, function_name = f[9], unique_key = f[2], result_ttl = f[3],
    current_retries = f[4], waited = f[5], cancel_requested = f[6], dlq = f[7], lost_count = f[8]},
    cause, policy, true)
else
  queue_again(id, queue, ARGV[3], tonumber(ARGV[own + 2]))
end
write_tallies()
write_history()
return 1
