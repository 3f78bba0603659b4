-- Counting what happens to jobs, by queue and by function, in buckets of a minute and in totals.
--
--   stats:queues, stats:functions     sorted sets: the names that are counted, by the last minute
--   stats:queue:<name>                hash: how many events of each kind, ever
--   stats:minute:<minute>:queue:<name>
--                                     hash: the same in one minute; sums `wait_us` and `run_us`;
--                                     histograms `wait:<n>` and `run:<n>`
--   stats:function:<name>, stats:minute:<minute>:function:<name>
--                                     the same by function
--
-- A step tallies in its own memory while it works and writes the sums once, at its end, with
-- `write_tallies`: so a batch of jobs costs little more than one job. What stands under these keys
-- may never make a step fail: errors of Redis are answers here (`pcall`), and nobody looks at them.

local MAX_NAMES, MAX_NAME_BYTES, OTHERS = 1000, 200, '(others)'
local MINUTE_KEPT_SECONDS, TOTAL_KEPT_SECONDS = 2 * 3600, 30 * 86400

local minute = math.floor(now / 60000)
local minute_root = root .. 'stats:minute:' .. minute .. ':'
local tallies = {}

-- Most jobs of a step are of the same function and queue.
local last_queue, last_function, last_tally

-- What is counted here of a function's jobs in a queue: events by kind, times by bucket.
local function tally_of(queue, function_name)
  if function_name == last_function and queue == last_queue then return last_tally end
  local of_queue = tallies[queue]
  if not of_queue then
    of_queue = {}
    tallies[queue] = of_queue
  end
  local one = of_queue[function_name]
  if not one then
    one = {events = {}}
    of_queue[function_name] = one
  end
  last_queue, last_function, last_tally = queue, function_name, one
  return one
end

-- Count an event of a job: enqueued, started, completed, failed, retried, dead_lettered, lost,
-- released or cancelled.
local function note_event(one, event)
  local events = one.events
  events[event] = (events[event] or 0) + 1
end

local function tally(queue, function_name, event) note_event(tally_of(queue, function_name), event) end

-- The bucket of a time: 0 is below a millisecond, n reaches up to 2^(n/2) ms, so that a percentile
-- is right to a fifth or better.
local function bucket_of(ms)
  if ms < 1 then return 0 end
  return math.min(64, 1 + math.floor(math.log(ms) * 2.8853900817779268)) -- 2 / ln 2
end

local function note_time(one, what, ms)
  local times = one[what]
  if not times then
    times = {sum_us = 0, counts = {}}
    one[what] = times
  end
  local bucket = bucket_of(ms)
  times.sum_us = times.sum_us + ms * 1000
  times.counts[bucket] = (times.counts[bucket] or 0) + 1
end

local function tally_run(queue, function_name, ms)
  note_time(tally_of(queue, function_name), 'run', ms)
end

local function cardinality(key)
  local count = redis.pcall('ZCARD', key)
  return type(count) == 'number' and count or 0
end

-- Whether a name that is not counted yet may be: beyond MAX_NAMES, those share one tally. A name
-- that nobody used for as long as totals are kept gives its place up.
local function has_place(names, name)
  if name == OTHERS then return true end
  if #name > MAX_NAME_BYTES then return false end
  if cardinality(names) < MAX_NAMES then return true end
  redis.pcall('ZREMRANGEBYSCORE', names, '-inf', minute - TOTAL_KEPT_SECONDS / 60)
  return cardinality(names) < MAX_NAMES
end

local accounts = {queue = {}, ['function'] = {}}

-- Where a name is counted, by its last minute.
local function account_of(kind, name)
  local known = accounts[kind]
  if known[name] then return known[name] end
  local names = root .. 'stats:' .. kind .. 's'
  local last = redis.pcall('ZSCORE', names, name)
  if last or has_place(names, name) then
    local is_new = type(last) ~= 'string' or tonumber(last) < minute
    known[name] = {name = name, is_new_minute = is_new, total = root .. 'stats:' .. kind .. ':' .. name,
      bucket = minute_root .. kind .. ':' .. name}
  else
    known[name] = account_of(kind, OTHERS)
  end
  return known[name]
end

local function open_minute(kind, account)
  account.is_new_minute = false
  local names = root .. 'stats:' .. kind .. 's'
  redis.pcall('ZADD', names, minute, account.name)
  redis.pcall('EXPIRE', names, TOTAL_KEPT_SECONDS)
  redis.pcall('EXPIRE', account.total, TOTAL_KEPT_SECONDS)
  redis.pcall('EXPIRE', account.bucket, MINUTE_KEPT_SECONDS)
  -- A plain producer, which writes a hash and a sorted set, does not tell of its queue.
  if kind == 'queue' and account.name ~= OTHERS then
    redis.pcall('SADD', root .. 'queues', account.name)
  end
end

local function write_times(bucket, what, times)
  if not times then return end
  redis.pcall('HINCRBY', bucket, what .. '_us', math.floor(times.sum_us + 0.5))
  for n, count in pairs(times.counts) do redis.pcall('HINCRBY', bucket, what .. ':' .. n, count) end
end

local function write_tally(kind, account, one)
  for event, count in pairs(one.events) do
    redis.pcall('HINCRBY', account.total, event, count)
    redis.pcall('HINCRBY', account.bucket, event, count)
  end
  write_times(account.bucket, 'wait', one.wait)
  write_times(account.bucket, 'run', one.run)
  if account.is_new_minute then open_minute(kind, account) end
end

local function write_tallies()
  for queue, of_queue in pairs(tallies) do
    for function_name, one in pairs(of_queue) do
      if next(one.events) then
        write_tally('queue', account_of('queue', queue), one)
        write_tally('function', account_of('function', function_name), one)
      end
    end
  end
end
