--! use _wake _end
-- settle: apply verdicts of a worker, each only if its lease still stands.
--
-- KEYS[1]  the root
-- ARGV     default DLQ, default result TTL in seconds, DLQ TTL in seconds, max_lost,
--          unique_ttl_ms, then seven for each verdict: id, token, kind, queue (bare), text,
--          number, attempt (JSON or '')
--            complete  text is the result (JSON)
--            retry     text is the error, number the delay in ms
--            fail      text is the error: to the dead letter queue
--            cancel    it was stopped on request
--            release   no penalty: back to its queue, due at number (ms; 0 is now)
--            lost      text is the cause: its process died
-- Returns  one answer each: complete, retry, fail, cancel, release, lost, or dead (lost too
--          often); 'repeated' when this very verdict was already applied; 'stale' when the
--          lease is another's now.
-- Invariant: a job leaves the lease set together with its change of state, once for each token.

local policy = {
  dlq = ARGV[1], result_ttl = ARGV[2], dlq_ttl = tonumber(ARGV[3]), max_lost = tonumber(ARGV[4]),
}
unique_ttl_ms = tonumber(ARGV[5])
local finished = iso(now)

local function settle(id, token, kind, queue, text, number, attempt)
  local key = job_key(id)
  local f = job_fields(id, 'lease_token', 'settled_token', 'job_unique_key',
    'result_ttl_seconds', 'current_retries', 'waited', 'cancel_requested', 'dlq_name', 'lost_count')
  if f[1] ~= token or redis.call('ZREM', leases, id) == 0 then
    return f[2] == token and 'repeated' or 'stale'
  end
  local unique_key, waited = f[3], f[6]

  if kind == 'complete' then
    if (f[5] and f[5] ~= '0') or f[9] then remember_attempt(id, attempt) end
    redis.call('HSET', key, 'status', 'COMPLETED', 'result', text, 'completion_time', finished,
      'settled_token', token)
    redis.call('HDEL', key, 'last_error', 'progress', 'cancel_requested')
    conclude(id, unique_key, waited, result_ttl(f[4], policy.result_ttl))
    return kind
  end

  redis.call('HSET', key, 'settled_token', token)
  remember_attempt(id, attempt)
  if kind == 'fail' then
    dead_letter(id, f[8] or policy.dlq, text, (tonumber(f[5]) or 0) + 1, policy.dlq_ttl,
      unique_key, waited)
    return kind
  end
  if kind == 'lost' then
    local became = lose(id, queue, text, policy, {lost_count = f[9], cancel_requested = f[7],
      unique_key = unique_key, waited = waited, result_ttl = f[4], current_retries = f[5], dlq = f[8]})
    if became == 'queued' then return 'lost' end
    return became == 'dead' and 'dead' or 'cancel'
  end
  if kind == 'cancel' or f[7] then
    mark_cancelled(id, unique_key, waited, result_ttl(f[4], policy.result_ttl))
    return 'cancel'
  end
  if kind == 'retry' then
    redis.call('HSET', key, 'last_error', text, 'current_retries', (tonumber(f[5]) or 0) + 1)
    queue_again(id, queue, 'RETRYING', now + tonumber(number))
    return kind
  end
  number = tonumber(number)
  queue_again(id, queue, 'PENDING', number == 0 and now or number)
  return kind
end

local answers = {}
for i = 6, #ARGV, 7 do
  answers[#answers + 1] = settle(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4],
    ARGV[i + 5], ARGV[i + 6])
end
return answers
