-- Putting one job into its queue, with every rule about ids and unique keys. A step that uses
-- this has the default DLQ in ARGV[1], and jobs as `_new_job.lua` reads them.

local default_dlq = ARGV[1]

-- An id that was made for this call exists only if this call was already carried out; an id that
-- the caller chose says so by the nonce.
local function was_carried_out(job)
  if job.nonce == '' then return redis.call('EXISTS', job_key(job.id)) == 1 end
  return redis.call('HGET', job_key(job.id), 'enqueue_nonce') == job.nonce
end

local function queue_of(id)
  local name = redis.call('HGET', job_key(id), 'queue_name')
  return name and bare(name, queue_root)
end

local function repeated(id)
  local queue = queue_of(id)
  local due = queue and redis.call('ZSCORE', queue_root .. queue, id)
  return {'repeated', id, due or score(now)}
end

local function lock_key(job) return root .. 'lock:unique:' .. job.unique_key end

local function is_running(id) return redis.call('ZSCORE', leases, id) end

local function refusal(job, taken)
  if job.nonce == '' and job.unique_key == '' then return nil end
  if was_carried_out(job) then return nil end
  if job.nonce ~= '' and is_running(job.id) then return 'running', job.id end
  if job.unique_key ~= '' then
    local holder = taken[job.unique_key] or redis.call('GET', lock_key(job))
    if holder and holder ~= job.id and job.on_conflict == 'raise' then return 'duplicate', holder end
    taken[job.unique_key] = holder or job.id
  end
end

-- Whether it may get a new definition: a running one may not, even if somebody queued it again.
local function is_waiting(id)
  if is_running(id) then return false end
  local queue = queue_of(id)
  return queue and redis.call('ZSCORE', queue_root .. queue, id) and true or false
end

-- Take an earlier run of this id away: its place, its unique key unless the new run keeps it,
-- and its entry in the dead letter queue.
local function clear(job, id)
  local key = job_key(id)
  local old = redis.call('HMGET', key, 'queue_name', 'job_unique_key', 'status', 'dlq_name', 'waited')
  if old[1] then redis.call('ZREM', queue_root .. bare(old[1], queue_root), id) end
  if old[2] and old[2] ~= '' then
    redis.call('ZREM', root .. 'held:' .. old[2], id)
    if old[2] ~= job.unique_key then
      unique_ttl_ms = job.unique_ttl_ms
      release_unique(old[2], id)
    end
  end
  if old[3] == 'FAILED' then
    redis.call('LREM', root .. 'dlq:' .. bare(old[4] or default_dlq, root .. 'dlq:'), 1, id)
  end
  redis.call('DEL', key)
  if old[5] then
    job.fields[job.count + 1], job.fields[job.count + 2] = 'waited', old[5]
    job.count = job.count + 2
  end
end

local function hold(job)
  -- The key covers the wait for a deferred start as well.
  local ttl = job.unique_ttl_ms + math.max(0, job.due - now)
  redis.call('SET', lock_key(job), job.id, 'PX', string.format('%d', ttl))
end

-- Queue a job behind the holder of its unique key: for when the key's time is over, or for the
-- holder's end if that comes first.
local function defer(job)
  local ttl = math.max(redis.call('PTTL', lock_key(job)), 1)
  local held = root .. 'held:' .. job.unique_key
  redis.call('ZADD', held, score(job.due), job.id)
  job.due = math.max(job.due, now + ttl)
  if redis.call('PTTL', held) < ttl then redis.call('PEXPIRE', held, string.format('%d', ttl + 60000)) end
  return write(job)
end

-- What marks this very call in a hash that it wrote under an id of somebody else's choice.
local function mark_of(job) return job.nonce ~= '' and job.nonce or job.id end

local function was_written_to(job, id)
  return redis.call('HGET', job_key(id), 'enqueue_nonce') == mark_of(job)
end

-- Give a waiting job the new definition and due time, under the id that it has.
local function take_over(job, id)
  job.nonce = mark_of(job)
  clear(job, id)
  job.id = id
end

-- Debounce: the newest definition runs once. While the holder runs, it waits for its end.
local function replace(job, holder)
  local next_id = redis.call('ZRANGE', root .. 'held:' .. job.unique_key, 0, 0)[1]
  if was_written_to(job, holder) then return repeated(holder) end
  if next_id and was_written_to(job, next_id) then return repeated(next_id) end
  if is_waiting(holder) then
    take_over(job, holder)
    hold(job)
    return write(job)
  end
  if next_id and is_waiting(next_id) then take_over(job, next_id) end
  return defer(job)
end

local function enqueue(job)
  if was_carried_out(job) then return repeated(job.id) end
  local holder = job.unique_key ~= '' and redis.call('GET', lock_key(job))
  if holder == job.id then holder = false end
  if holder and (job.on_conflict == 'skip' or job.on_conflict == 'raise') then
    return {'duplicate', holder}
  end
  if job.nonce ~= '' then clear(job, job.id) end
  if holder and job.on_conflict == 'replace' then return replace(job, holder) end
  if holder then return defer(job) end
  if job.unique_key ~= '' then hold(job) end
  return write(job)
end
