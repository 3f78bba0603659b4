--! use _wake _tally _history _end
-- reap: take expired leases away from workers that are gone.
--
-- KEYS[1]  the root
-- ARGV     most jobs, default DLQ, default result TTL in seconds, DLQ TTL in seconds, max_lost,
--          unique_ttl_ms, default queue (bare)
-- Returns  {id, 'queued' | 'dead' | 'cancelled' | 'gone', worker id} for each
-- Invariant: a reaped job has no lease token any more, so whatever its old owner still sends
--          is refused.

local policy = {
  dlq = ARGV[2], result_ttl = ARGV[3], dlq_ttl = tonumber(ARGV[4]), max_lost = tonumber(ARGV[5]),
}
unique_ttl_ms = tonumber(ARGV[6])
local reaped = {}
local expired = redis.call('ZRANGEBYSCORE', leases, '-inf', score(now), 'LIMIT', 0, ARGV[1])
for _, id in ipairs(expired) do
  local key = job_key(id)
  redis.call('ZREM', leases, id)
  local f = job_fields(id, 'worker_id', 'queue_name', 'job_unique_key',
    'result_ttl_seconds', 'current_retries', 'waited', 'cancel_requested', 'dlq_name',
    'lost_count', 'lease_token', 'function_name')
  if f[10] then
    local worker = f[1] or 'unknown'
    local cause = 'the lease of worker ' .. worker .. ' ran out'
    remember_attempt(id, cjson.encode({outcome = 'lost', error = cause, worker = worker}))
    redis.call('HDEL', key, 'lease_token')
    local became = lose({id = id, queue = bare(f[2] or ARGV[7], queue_root),
      function_name = f[11], unique_key = f[3], result_ttl = f[4], current_retries = f[5],
      waited = f[6], cancel_requested = f[7], dlq = f[8], lost_count = f[9]}, cause, policy, true)
    reaped[#reaped + 1] = {id, became, worker}
  else
    reaped[#reaped + 1] = {id, 'gone', ''}
  end
end
write_tallies()
write_history()
return reaped
