--! use _wake _tally
-- claim: lease due jobs to a worker, or park the worker when there are none.
--
-- KEYS[1]  the root
-- ARGV     worker id, lease_ms, most jobs, most bytes of arguments, park_ms, unique_ttl_ms,
--          count of executors, and four for each: name, room (most jobs for it), '1' if it is
--          full, how many jobs it turned away before; none at all if room is all that counts;
--          count of jobs to recall, and three for each: queue (bare), id, the due time that it was
--          turned away to;
--          then two for each queue, the most urgent first: name (bare), the executor of its
--          jobs that name none. A paused queue counts as empty
-- Returns  {now_ms, next_due_ms or '', jobs, dropped, turned_away, start_time, token}: `jobs` holds
--          for each queue that gave some its name, and two for each job: its due_ms, and {id,
--          function_name, job_args, job_kwargs, enqueue_time, queue_name, current_retries,
--          max_retries, job_timeout_seconds, trace_context, token of the lease before,
--          lost_count, job_unique_key}, nil where its hash says nothing, and nothing behind the
--          last that it says; they started at `start_time`, the first with `token`, each other
--          one with the next;
--          `next_due_ms` is when the first job that is still waiting becomes due; `dropped`
--          holds ids that are no jobs; `turned_away` {executor, queue, id, due_ms} of jobs that
--          wait for a full executor, a little later in their queue, where they hide no other;
--          of the lists, nil stands for an empty one.
-- Invariant: an id leaves its queue and enters the lease set in this one step, with a token
--          that is greater than every earlier one. Both happen for all together, at the end: if
--          one of them meets an error, all still wait.

-- When jobs for a full executor come back: a few at a time, so that one is there soon after a
-- slot is free, and not so often that anybody spins on the rest.
local TURNED_AWAY_STEP_MS, TURNED_AWAY_A_STEP, TURNED_AWAY_LONGEST_MS = 100, 10, 1000

local worker, lease_ms = ARGV[1], tonumber(ARGV[2])
local room, bytes_left = tonumber(ARGV[3]), tonumber(ARGV[4])
local park_ms, unique_ttl_ms = ARGV[5], ARGV[6]

local next_argument = 7
local function take()
  next_argument = next_argument + 1
  return ARGV[next_argument - 1]
end

local executors, some_are_full = nil, false
for _ = 1, tonumber(take()) do
  executors = executors or {}
  local name = take()
  executors[name] = {
    name = name, room = tonumber(take()), is_full = take() == '1', turned_away = tonumber(take()),
  }
  some_are_full = some_are_full or executors[name].is_full
end

-- Jobs that were turned away may come back, in their order: a slot is free. One that has another
-- due time by now was given it by somebody else.
for i = 1, tonumber(take()) do
  local key, id, due = queue_root .. take(), take(), take()
  local stands = redis.call('ZSCORE', key, id)
  if stands and tonumber(stands) == tonumber(due) and tonumber(due) > now then
    redis.call('ZADD', key, score(now - 1 + i * 0.001), id)
  end
end

local queues = {}
while next_argument <= #ARGV do
  local entry = {name = take(), executor = take()}
  entry.is_paused = redis.call('SISMEMBER', root .. 'paused', entry.name) == 1
  queues[#queues + 1] = entry
end

-- How long an id may wait in a queue for its hash: a plain producer writes the two one by one.
local UNBORN_MS = 5000
-- How long it is remembered that an id had none.
local UNBORN_KEPT_MS = 60000

-- How often a queue is read again in one claim, when what was read held few jobs that may run,
-- and how many ids are read at once when some of them are expected to be passed over.
local MAX_LOOKS = 10
local IDS_A_LOOK = 100

local now_score, started, expiry = score(now), iso(now), score(now + lease_ms)
local jobs, leased, ids, claimed, claimed_here = {}, {}, {}, {}, {}
local count, first_token, dropped, turned_away = 0, nil, nil, nil

local function next_token()
  if not first_token then first_token = redis.call('INCRBY', root .. 'lease:token', room) - room + 1 end
  return first_token + count
end

-- True if the job may run now: its unique key is free or its own. Else it is held back.
local function takes_unique_key(queue, id, unique_key, due)
  local lock = root .. 'lock:unique:' .. unique_key
  local holder = redis.call('GET', lock)
  if not holder then
    redis.call('SET', lock, id, 'PX', math.max(tonumber(unique_ttl_ms), lease_ms))
  elseif holder ~= id then
    local wait = math.max(redis.call('PTTL', lock), 1000)
    local held = root .. 'held:' .. unique_key
    redis.call('ZADD', queue_root .. queue, score(now + wait), id)
    redis.call('HSET', job_key(id), 'next_scheduled_run_time', iso(now + wait))
    redis.call('HSETNX', job_key(id), 'queue_name', queue) -- the holder's end looks it up
    redis.call('ZADD', held, 'NX', due, id)
    redis.call('PEXPIRE', held, string.format('%d', wait + 60000))
    return false
  elseif redis.call('PTTL', lock) < lease_ms then
    redis.call('PEXPIRE', lock, ARGV[2])
  end
  redis.call('ZREM', root .. 'held:' .. unique_key, id)
  return true
end

-- An id without a hash: its producer may be between two writes, or it is nothing.
local function is_unborn(queue, id)
  local unborn = root .. 'unborn'
  local seen = redis.call('ZSCORE', unborn, id)
  if seen and now - seen > UNBORN_MS then
    redis.call('ZREM', unborn, id)
    return false
  end
  if not seen then
    redis.call('ZREMRANGEBYSCORE', unborn, '-inf', score(now - UNBORN_KEPT_MS))
    redis.call('ZADD', unborn, score(now), id)
    redis.call('PEXPIRE', unborn, UNBORN_KEPT_MS)
  end
  redis.call('ZADD', queue_root .. queue, score(now + 100), id)
  return true
end

-- The executor of a job, if it is one whose room is limited here.
local function executor_of(function_name, queue)
  if not executors then return nil end
  local name = string.match(function_name or '', '^([^#]*)#') or queue.executor
  return executors[name]
end

local function turn_away(executor, queue, id)
  local step = 1 + math.floor(executor.turned_away / TURNED_AWAY_A_STEP)
  executor.turned_away = executor.turned_away + 1
  local delay = math.min(step * TURNED_AWAY_STEP_MS, TURNED_AWAY_LONGEST_MS)
  -- A microsecond for each keeps them in order.
  local due = score(now + delay + executor.turned_away * 0.001)
  redis.call('ZADD', queue_root .. queue, due, id)
  turned_away = turned_away or {}
  turned_away[#turned_away + 1] = {executor.name, queue, id, due}
end

local call, try = redis.call, redis.pcall

-- Claim one job, or see to it otherwise. Returns 'passed' if it stays where it is, and the job if it
-- leaves its queue with the others.
local function claim_one(entry, id, due)
  local queue = entry.name
  local key = job_root .. id
  if some_are_full then
    local function_name = redis.pcall('HGET', key, 'function_name')
    local executor = type(function_name) == 'string' and executor_of(function_name, entry)
    if executor and executor.is_full then return turn_away(executor, queue, id) end
  end
  local fields = try('HMGET', key, 'status', 'function_name', 'job_args', 'job_kwargs',
    'enqueue_time', 'queue_name', 'current_retries', 'max_retries', 'job_timeout_seconds',
    'trace_context', 'lease_token', 'lost_count', 'job_unique_key')
  local status, function_name, unique_key = fields[1], fields[2], fields[13]
  if fields.err or (not function_name and redis.call('EXISTS', key) == 0) then
    if not fields.err and is_unborn(queue, id) then return end
    dropped = dropped or {}
    dropped[#dropped + 1] = id
    redis.call('ZREM', queue_root .. queue, id)
    return
  end
  if status == 'CANCELLED' or status == 'COMPLETED' or status == 'FAILED' then
    redis.call('ZREM', queue_root .. queue, id)
    return
  end
  -- Queued once more by a foreign producer, here or in another queue, while it runs: the run that
  -- is under way stands.
  if claimed_here[id] or (fields[11] and redis.call('ZSCORE', leases, id)) then
    redis.call('ZREM', queue_root .. queue, id)
    redis.call('HSET', key, 'status', 'ACTIVE')
    return
  end
  local executor = executors and executor_of(function_name, entry)
  if executor and executor.room <= 0 then return 'passed' end
  if unique_key and unique_key ~= '' and not takes_unique_key(queue, id, unique_key, due) then
    return
  end
  local size = #(fields[3] or '') + #(fields[4] or '')
  if count > 0 and size > bytes_left then
    bytes_left = -1
    return
  end
  bytes_left = bytes_left - size
  if executor then executor.room = executor.room - 1 end
  call('HSET', key, 'status', 'ACTIVE', 'start_time', started, 'worker_id', worker, 'lease_token',
    next_token())
  if not fields[6] then
    redis.call('HSET', key, 'queue_name', queue)
    fields[6] = queue
  end
  call('PERSIST', key)
  note_time(tally_of(queue, function_name or ''), 'wait', now - due)
  claimed_here[id] = true
  count = count + 1
  ids[count], leased[2 * count - 1], leased[2 * count] = id, expiry, id
  -- What was read of it is the reply, less what is nothing at its end.
  fields[1] = id
  local last = 13
  while not fields[last] do
    fields[last] = nil
    last = last - 1
  end
  return fields
end

for _, entry in ipairs(queues) do
  local looks, passed = entry.is_paused and MAX_LOOKS or 0, 0
  local of_queue, first = {entry.name}, count + 1
  -- Every id that is read leaves the due part of its queue, or is passed over at the next look.
  while count < room and bytes_left >= 0 and looks < MAX_LOOKS do
    local most = executors and IDS_A_LOOK or room - count
    local due = redis.call('ZRANGEBYSCORE', queue_root .. entry.name, '-inf', now_score,
      'WITHSCORES', 'LIMIT', passed, most)
    for i = 1, #due, 2 do
      local job = claim_one(entry, due[i], due[i + 1])
      if job then passed = passed + 1 end
      if job and job ~= 'passed' then
        local n = 2 * (count - first)
        of_queue[n + 2], of_queue[n + 3] = due[i + 1], job
      end
      if bytes_left < 0 or count >= room then break end
    end
    looks = #due == 2 * most and looks + 1 or MAX_LOOKS -- fewer were all
  end
  if count >= first then
    jobs[#jobs + 1] = of_queue
    claimed[#claimed + 1] = {queue_root .. entry.name, first, count}
  end
end

if count > 0 then redis.call('ZADD', leases, unpack(leased)) end
for _, of_queue in ipairs(claimed) do
  redis.call('ZREM', of_queue[1], unpack(ids, of_queue[2], of_queue[3]))
end
write_tallies()

-- Whoever is still waiting: due already, and another worker may take it, or due later. On a paused
-- queue workers park too, for whoever resumes it to find them, but nothing there is worth waking for.
local next_due = ''
for _, entry in ipairs(queues) do
  local head = {}
  if not entry.is_paused then
    head = redis.call('ZRANGE', queue_root .. entry.name, 0, 0, 'WITHSCORES')
  end
  if head[2] and (next_due == '' or tonumber(head[2]) < tonumber(next_due)) then
    next_due = head[2]
  end
  local idle = root .. 'idle:' .. entry.name
  if count == 0 then
    redis.call('ZADD', idle, score(now + park_ms), worker)
    redis.call('PEXPIRE', idle, park_ms)
  else
    redis.call('ZREM', idle, worker)
    if head[2] and tonumber(head[2]) <= now then wake(entry.name) end
  end
end

return {now_score, next_due, count > 0 and jobs, dropped or false, turned_away or false, started,
  first_token or 0}
