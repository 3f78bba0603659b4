-- Plain successes: of jobs that had neither failed nor been lost, and have no unique key, so that
-- nothing depends on their end but their own hash, and a client that may wait for it. That is most
-- jobs, and what costs most for each is done for all of a step together. A step that uses this has
-- the default result TTL in ARGV[2], and from ARGV[6] on: count of groups of plain successes, and for
-- each its queue (bare), its function, how many, and four for each of them: id, token, result (JSON),
-- run_us (how long it ran, in whole microseconds; 0 if it never began). What stands behind them begins at `next_verdict`.

local default_result_ttl = ARGV[2]

-- For fewer jobs than these it does not pay to look up their leases together.
local FEW = 3

-- Which jobs have a lease, if they were looked up together, and those whose lease ends together. The
-- first of them all ends at once: a server that is out of memory refuses HSET, but not to a script
-- that has begun to write.
local standing, leaving, has_begun = nil, {}, false

local function look_up_leases(ids)
  if #ids < FEW then return end
  local expiries = redis.pcall('ZMSCORE', leases, unpack(ids))
  if expiries.err then return end -- rules of access from before it was used here
  standing = {}
  for i, id in ipairs(ids) do standing[id] = expiries[i] end
end

-- End a lease before anything is written; false if there was none.
local function end_lease(id)
  if standing then standing[id] = false end
  has_begun = true
  return redis.call('ZREM', leases, id) == 1
end

-- End a lease with the others of the step: of a job for which nothing can fail in between.
local function end_lease_later(id)
  if not standing[id] then return false end
  standing[id] = false
  leaving[#leaving + 1] = id
  return true
end

local function end_leases()
  if #leaving > 0 then redis.call('ZREM', leases, unpack(leaving)) end
end

-- What to answer about a lease that does not stand.
local function refused(id, token)
  return job_fields(id, 'settled_token')[1] == token and 'repeated' or 'stale'
end

local call, try, finished = redis.call, redis.pcall, iso(now)

-- Apply one; `counted` and `ended` are where its function is counted, and its end remembered.
local function succeed(id, token, result, run_us, counted, ended)
  local key = job_root .. id
  local f = try('HMGET', key, 'lease_token', 'result_ttl_seconds', 'waited', 'last_error',
    'progress', 'cancel_requested')
  if f[1] ~= token then return refused(id, token) end
  local waited = f[3]
  local end_it = standing and has_begun and not waited and end_lease_later or end_lease
  if not end_it(id) then return refused(id, token) end
  call('HSET', key, 'status', 'COMPLETED', 'result', result, 'completion_time', finished,
    'settled_token', token)
  if f[4] or f[5] or f[6] then
    redis.call('HDEL', key, 'last_error', 'progress', 'cancel_requested')
  end
  if waited then tell_waiters(id) end
  local ttl_seconds = result_ttl(f[2], default_result_ttl)
  let_expire(key, ttl_seconds)
  note_end(ended, id, ttl_seconds)
  note_event(counted, 'completed')
  if run_us > 0 then note_time(counted, 'run', run_us / 1000) end
  return 'complete'
end

local answers = {}

-- Apply those of one queue and function: from ARGV[first] to ARGV[last], four for each.
local function succeed_all(queue, function_name, first, last)
  local counted = tally_of(queue, function_name)
  local ended = ends_of(counted, 'COMPLETED')
  for i = first, last, 4 do
    answers[#answers + 1] =
      succeed(ARGV[i], ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3]), counted, ended)
  end
end

local ids, groups, next_verdict = {}, {}, 7
for g = 1, tonumber(ARGV[6]) do
  local first = next_verdict + 3
  next_verdict = first + 4 * tonumber(ARGV[first - 1])
  groups[g] = {ARGV[first - 3], ARGV[first - 2], first, next_verdict - 1}
  for i = first, next_verdict - 1, 4 do ids[#ids + 1] = ARGV[i] end
end
look_up_leases(ids)

-- What a step that uses this returns, when it has done all or met a problem: what has been settled
-- by then stays so.
local function finish(is_well, problem)
  write_tallies()
  write_history()
  if not is_well then error(problem, 0) end
  return answers
end

local is_well, problem = pcall(function()
  for _, group in ipairs(groups) do succeed_all(unpack(group)) end
end)
end_leases()
-- Most calls have no other verdicts: they are spared what the fragments behind this one set up.
if not is_well or next_verdict > #ARGV then return finish(is_well, problem) end
