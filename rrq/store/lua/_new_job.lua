-- A job on its way into its queue. A step that uses this describes a job in ARGV, from some index
-- on, as
--
--   id, queue (bare), timing ('in' or 'at'), timing_ms, unique_key ('' for none), unique_ttl_ms,
--   on_conflict (skip|raise|defer|replace), nonce ('' when the id was generated for this call),
--   count of fields, then that many pairs of field and value

-- Read a job's description; returns it and the index behind it. `place` is its place among the
-- jobs of one call, from 0: they keep their order, and stay ahead of the next call's, for each
-- takes longer to write than the microsecond that it is due after the one before.
local function read_job(index, place)
  local first, count = index + 9, 2 * tonumber(ARGV[index + 8])
  local function_name = ''
  for f = first, first + count - 1, 2 do
    if ARGV[f] == 'function_name' then function_name = ARGV[f + 1] break end
  end
  local timing_ms = tonumber(ARGV[index + 3])
  if ARGV[index + 2] ~= 'at' then timing_ms = now + timing_ms + place * 0.001 end
  return {
    id = ARGV[index], queue = ARGV[index + 1], due = due_time(timing_ms),
    unique_key = ARGV[index + 4], unique_ttl_ms = tonumber(ARGV[index + 5]),
    on_conflict = ARGV[index + 6], nonce = ARGV[index + 7], function_name = function_name,
    fields = {unpack(ARGV, first, first + count - 1)},
  }, first + count
end

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

local known_queues = {}

local function make_known(queue)
  if known_queues[queue] then return end
  redis.call('SADD', root .. 'queues', queue)
  known_queues[queue] = true
end

local function write(job)
  local fields = job.fields
  local n = #fields
  if job.unique_key ~= '' then
    fields[n + 1], fields[n + 2] = 'job_unique_key', job.unique_key
    n = n + 2
  end
  if job.nonce ~= '' then
    fields[n + 1], fields[n + 2] = 'enqueue_nonce', job.nonce
    n = n + 2
  end
  fields[n + 1], fields[n + 2] = 'id', job.id
  fields[n + 3], fields[n + 4] = 'enqueue_time', iso(now)
  fields[n + 5], fields[n + 6] = 'next_scheduled_run_time', iso(job.due)
  -- The last value of a field stands: these are not the producer's to choose.
  fields[n + 7], fields[n + 8] = 'status', 'PENDING'
  fields[n + 9], fields[n + 10] = 'current_retries', '0'
  fields[n + 11], fields[n + 12] = 'result', 'null'
  redis.call('HSET', job_key(job.id), unpack(fields))
  make_known(job.queue)
  put_in_queue(job.queue, job.id, job.due)
  tally(job.queue, job.function_name, 'enqueued')
  return {'queued', job.id, score(job.due)}
end
