--! use _wake _tally _history _succeed _end
-- settle: apply verdicts of a worker, each only if its lease still stands.
--
-- KEYS[1]  the root
-- ARGV     default DLQ, default result TTL in seconds, DLQ TTL in seconds, max_lost,
--          unique_ttl_ms; plain successes as `_succeed.lua` describes them; then eight for each
--          other verdict: id, token, kind, queue (bare), text, number, attempt (JSON or ''), run_us
--          (how long it ran, in whole microseconds; 0 if it never began)
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
--          If one meets an error, those before it are settled, and those behind it are not.

local policy = {
  dlq = ARGV[1], result_ttl = ARGV[2], dlq_ttl = tonumber(ARGV[3]), max_lost = tonumber(ARGV[4]),
}
unique_ttl_ms = tonumber(ARGV[5])

-- Of these the run time is counted: the handler came to its end, or its time was over.
local TIMED = {complete = true, retry = true, fail = true}

local function settle(id, token, kind, queue, text, number, attempt, run_us)
  local key = job_key(id)
  local f = job_fields(id, 'lease_token', 'settled_token', 'job_unique_key',
    'result_ttl_seconds', 'current_retries', 'waited', 'cancel_requested', 'dlq_name', 'lost_count',
    'function_name')
  if f[1] ~= token or not end_lease(id) then return f[2] == token and 'repeated' or 'stale' end
  local function_name = f[10] or ''
  local job = {id = id, queue = queue, function_name = function_name, unique_key = f[3],
    result_ttl = f[4], current_retries = f[5], waited = f[6], cancel_requested = f[7], dlq = f[8],
    lost_count = f[9]}
  run_us = tonumber(run_us)
  if run_us > 0 and TIMED[kind] then
    note_time(tally_of(queue, function_name), 'run', run_us / 1000)
  end

  if kind == 'complete' then
    if (f[5] and f[5] ~= '0') or f[9] then remember_attempt(id, attempt) end
    redis.call('HSET', key, 'status', 'COMPLETED', 'result', text, 'completion_time', finished,
      'settled_token', token)
    redis.call('HDEL', key, 'last_error', 'progress', 'cancel_requested')
    conclude(job, 'COMPLETED', result_ttl(job.result_ttl, policy.result_ttl))
    tally(queue, function_name, 'completed')
    return kind
  end

  redis.call('HSET', key, 'settled_token', token)
  remember_attempt(id, attempt)
  if kind == 'fail' then
    tally(queue, function_name, 'failed')
    dead_letter(job, policy, text, (tonumber(job.current_retries) or 0) + 1)
    return kind
  end
  if kind == 'lost' then
    local became = lose(job, text, policy)
    if became == 'queued' then return 'lost' end
    return became == 'dead' and 'dead' or 'cancel'
  end
  if kind == 'retry' then tally(queue, function_name, 'failed') end
  if kind == 'cancel' or job.cancel_requested then
    mark_cancelled(job, result_ttl(job.result_ttl, policy.result_ttl))
    return 'cancel'
  end
  if kind == 'retry' then
    redis.call('HSET', key, 'last_error', text,
      'current_retries', (tonumber(job.current_retries) or 0) + 1)
    queue_again(id, queue, 'RETRYING', now + tonumber(number))
    tally(queue, function_name, 'retried')
    return kind
  end
  number = tonumber(number)
  tally(queue, function_name, 'released')
  queue_again(id, queue, 'PENDING', number == 0 and now or number)
  return kind
end

return finish(pcall(function()
  for i = next_verdict, #ARGV, 8 do
    answers[#answers + 1] = settle(unpack(ARGV, i, i + 7))
  end
end))
