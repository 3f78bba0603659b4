-- A job on its way into its queue. A step that uses this describes a job in ARGV, from some index
-- on, as
--
--   id, queue (bare), timing ('in' or 'at'), timing_ms, unique_key ('' for none), unique_ttl_ms,
--   on_conflict (skip|raise|defer|replace), nonce ('' when the id was generated for this call),
--   count of fields, then that many pairs of field and value

-- How many names and values `write_hash` adds to the hash of a plain job.
local ADDED = 12

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
    -- With room for what `write_hash` adds: a table that has to grow costs more than all of that.
    fields = {unpack(ARGV, first, first + count - 1 + ADDED)}, count = count,
  }, first + count
end

local known_queues = {}

local function make_known(queue)
  if known_queues[queue] then return end
  redis.call('SADD', root .. 'queues', queue)
  known_queues[queue] = true
end

local now_text

local function write_hash(job)
  now_text = now_text or iso(now)
  local fields, n = job.fields, job.count
  if job.unique_key ~= '' then
    fields[n + 1], fields[n + 2] = 'job_unique_key', job.unique_key
    n = n + 2
  end
  if job.nonce ~= '' then
    fields[n + 1], fields[n + 2] = 'enqueue_nonce', job.nonce
    n = n + 2
  end
  fields[n + 1], fields[n + 2] = 'id', job.id
  fields[n + 3], fields[n + 4] = 'enqueue_time', now_text
  fields[n + 5], fields[n + 6] = 'next_scheduled_run_time', iso(job.due)
  -- The last value of a field stands: these are not the producer's to choose.
  fields[n + 7], fields[n + 8] = 'status', 'PENDING'
  fields[n + 9], fields[n + 10] = 'current_retries', '0'
  fields[n + 11], fields[n + 12] = 'result', 'null'
  redis.call('HSET', job_key(job.id), unpack(fields, 1, n + ADDED))
end

local function write(job)
  write_hash(job)
  make_known(job.queue)
  put_in_queue(job.queue, job.id, job.due)
  tally(job.queue, job.function_name, 'enqueued')
  return {'queued', job.id, score(job.due)}
end
