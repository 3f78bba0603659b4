-- What happens to a job that leaves ACTIVE, for good or to run again. Whoever uses these has
-- taken the job out of the lease set, and knows that it may; and has set `unique_ttl_ms`.
--
-- A job is {id, queue (bare), function_name, unique_key, waited, result_ttl, current_retries,
-- cancel_requested, dlq, lost_count} here: what its hash says, false for what it does not say.

local MAX_ATTEMPTS_KEPT = 20

-- How long a unique key is held by the job that it passes to.
local unique_ttl_ms

-- Free a unique key if this job still holds it, or pass it to the first job that was held back
-- behind it, which runs now, or when it was first meant to if that is later.
local function release_unique(unique_key, id)
  if not unique_key or unique_key == '' then return end
  local lock = root .. 'lock:unique:' .. unique_key
  if redis.call('GET', lock) ~= id then return end
  redis.call('DEL', lock)
  local held = root .. 'held:' .. unique_key
  while true do
    local first = redis.call('ZPOPMIN', held)
    local next_id = first[1]
    if not next_id then return end
    local fields = job_fields(next_id, 'queue_name', 'job_unique_key')
    local queue = fields[1] and fields[2] == unique_key and bare(fields[1], queue_root)
    if queue and redis.call('ZSCORE', queue_root .. queue, next_id) then
      local due = math.max(now, tonumber(first[2]))
      local ttl = unique_ttl_ms + due - now
      redis.call('SET', lock, next_id, 'PX', string.format('%d', ttl))
      redis.call('HSET', job_key(next_id), 'next_scheduled_run_time', iso(due))
      put_in_queue(queue, next_id, due)
      return
    end
  end
end

-- Add one attempt to the job's bounded history: a JSON array, oldest first.
local function remember_attempt(id, attempt)
  if attempt == '' then return end
  local key = job_key(id)
  local entry = cjson.decode(attempt)
  entry.ended_at = iso(now)
  entry.started_at = redis.call('HGET', key, 'start_time') or nil
  local kept = redis.call('HGET', key, 'attempts')
  local known, attempts = pcall(cjson.decode, kept or '[]')
  if not known or type(attempts) ~= 'table' then attempts = {} end
  attempts[#attempts + 1] = entry
  while #attempts > MAX_ATTEMPTS_KEPT do table.remove(attempts, 1) end
  -- A history that somebody else wrote may be anything; the job's end must not fail over it.
  local fit, text = pcall(cjson.encode, attempts)
  redis.call('HSET', key, 'attempts', fit and text or cjson.encode({entry}))
end

-- A terminal job: its unique key is free, who waits for it hears of it, it is in the history, and
-- it expires.
local function conclude(job, status, ttl_seconds)
  release_unique(job.unique_key, job.id)
  if job.waited then tell_waiters(job.id) end
  let_expire(job_key(job.id), ttl_seconds)
  remember_end(job.id, status, job.queue, job.function_name or '', ttl_seconds)
end

local function dead_letter(job, policy, error_text, attempts)
  local key = job_key(job.id)
  redis.call('HSET', key, 'status', 'FAILED', 'last_error', error_text,
    'completion_time', iso(now), 'current_retries', attempts)
  redis.call('HDEL', key, 'progress', 'cancel_requested')
  redis.call('LPUSH', root .. 'dlq:' .. bare(job.dlq or policy.dlq, root .. 'dlq:'), job.id)
  conclude(job, 'FAILED', policy.dlq_ttl)
  tally(job.queue, job.function_name or '', 'dead_lettered')
end

local function mark_cancelled(job, ttl_seconds)
  local key = job_key(job.id)
  redis.call('HSET', key, 'status', 'CANCELLED', 'completion_time', iso(now))
  redis.call('HDEL', key, 'progress', 'cancel_requested')
  conclude(job, 'CANCELLED', ttl_seconds)
  tally(job.queue, job.function_name or '', 'cancelled')
end

-- A job that runs again: it has no TTL from here on.
local function queue_again(id, queue, status, due)
  local key = job_key(id)
  due = due_time(due)
  redis.call('HSET', key, 'status', status, 'next_scheduled_run_time', iso(due))
  redis.call('HDEL', key, 'progress')
  redis.call('PERSIST', key)
  put_in_queue(queue, id, due)
end

-- A job that was lost once comes back at once. Jobs that were lost with it do too, and are in one
-- process again: so from the second loss on each waits for a share of a window that doubles, and
-- what is innocent gets away from what is guilty. The share comes from a hash, since old servers
-- seed math.random alike for every step.
local LOST_WINDOW_MS, LONGEST_LOST_WINDOW_MS = 1000, 10000

local function due_after_loss(id, lost)
  if lost < 2 then return now end
  local window = math.min(LONGEST_LOST_WINDOW_MS, LOST_WINDOW_MS * 2 ^ (lost - 2))
  local share = tonumber(string.sub(redis.sha1hex(id .. ':' .. lost), 1, 8), 16) / 2 ^ 32
  return now + window * share
end

-- A loss of the process under a job: not the job's failure, but counted, so that a job that
-- kills its process cannot loop for ever. Returns what became of it.
--
-- One whose worker was lost has waited for its lease to run out: it comes back at once in any case.
local function lose(job, cause, policy, with_worker)
  local lost = (tonumber(job.lost_count) or 0) + 1
  redis.call('HSET', job_key(job.id), 'lost_count', lost)
  tally(job.queue, job.function_name or '', 'lost')
  if job.cancel_requested then
    mark_cancelled(job, result_ttl(job.result_ttl, policy.result_ttl))
    return 'cancelled'
  end
  if lost > policy.max_lost then
    local times = lost == 1 and 'once' or string.format('%d times', lost)
    local text = string.format('Job was lost %s while it ran, last: %s', times, cause)
    dead_letter(job, policy, text, tonumber(job.current_retries) or 0)
    return 'dead'
  end
  queue_again(job.id, job.queue, 'PENDING', with_worker and now or due_after_loss(job.id, lost))
  return 'queued'
end
