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

local minute = (now - now % 60000) / 60000
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
    one = {events = {}, times = {}}
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

-- Times of one step are often alike: the last one's bucket, and where that begins and ends.
local bucket, bucket_from_ms, bucket_below_ms = 0, 0, 1

-- Count a time ('wait' or 'run') in its bucket: 0 is below a millisecond, n reaches up to
-- 2^(n/2) ms, so that a percentile is right to a fifth or better.
local function note_time(one, what, ms)
  if ms < 0 then ms = 0 end
  if ms < bucket_from_ms or ms >= bucket_below_ms then
    bucket = 0
    if ms >= 1 then
      bucket = math.min(64, 1 + math.floor(math.log(ms) * 2.8853900817779268)) -- 2 / ln 2
    end
    bucket_from_ms = bucket > 0 and 2 ^ ((bucket - 1) / 2) or 0
    bucket_below_ms = bucket < 64 and 2 ^ (bucket / 2) or math.huge
  end
  local times = one.times[what]
  if not times then
    times = {sum_us = 0, counts = {}}
    one.times[what] = times
  end
  times.sum_us = times.sum_us + ms * 1000
  times.counts[bucket] = (times.counts[bucket] or 0) + 1
end

local function cardinality(key)
  local count = redis.pcall('ZCARD', key)
  return type(count) == 'number' and count or 0
end

local function account_of(kind, name)
  return {name = name, total = root .. 'stats:' .. kind .. ':' .. name,
    bucket = minute_root .. kind .. ':' .. name}
end

-- Where a name is counted that this minute has not met with this event: under its own name, or, beyond
-- MAX_NAMES, with others. A name that nobody used for as long as totals are kept gives its place up.
local function entered(kind, name)
  local names = root .. 'stats:' .. kind .. 's'
  local last = redis.pcall('ZSCORE', names, name)
  if not last and name ~= OTHERS then
    local has_place = #name <= MAX_NAME_BYTES
    if has_place and cardinality(names) >= MAX_NAMES then
      redis.pcall('ZREMRANGEBYSCORE', names, '-inf', minute - TOTAL_KEPT_SECONDS / 60)
      has_place = cardinality(names) < MAX_NAMES
    end
    if not has_place then
      name = OTHERS
      last = redis.pcall('ZSCORE', names, name)
    end
  end
  local account = account_of(kind, name)
  if type(last) == 'string' and tonumber(last) >= minute then return account end
  account.is_new_minute = true
  redis.pcall('ZADD', names, minute, name)
  redis.pcall('EXPIRE', names, TOTAL_KEPT_SECONDS)
  -- A plain producer, which writes a hash and a sorted set, does not tell of its queue.
  if kind == 'queue' and name ~= OTHERS then redis.pcall('SADD', root .. 'queues', name) end
  return account
end

local accounts = {queue = {}, ['function'] = {}}

local function write_tally(kind, name, one)
  local account, counted = accounts[kind][name], nil
  if not account then
    account, counted = account_of(kind, name), next(one.events)
    local count = one.events[counted]
    local sum = redis.pcall('HINCRBY', account.bucket, counted, count)
    -- Almost always this minute has met this event before, and nothing has to be looked up.
    if type(sum) ~= 'number' or sum <= count then
      if sum == count then redis.pcall('HDEL', account.bucket, counted) end
      account, counted = entered(kind, name), nil
    end
    accounts[kind][name] = account
  end
  for event, count in pairs(one.events) do
    redis.pcall('HINCRBY', account.total, event, count)
    if event ~= counted then redis.pcall('HINCRBY', account.bucket, event, count) end
  end
  for what, times in pairs(one.times) do
    redis.pcall('HINCRBY', account.bucket, what .. '_us', math.floor(times.sum_us + 0.5))
    for n, count in pairs(times.counts) do
      redis.pcall('HINCRBY', account.bucket, what .. ':' .. n, count)
    end
  end
  if account.is_new_minute then
    account.is_new_minute = false
    redis.pcall('EXPIRE', account.total, TOTAL_KEPT_SECONDS)
    redis.pcall('EXPIRE', account.bucket, MINUTE_KEPT_SECONDS)
  end
end

local function write_tallies()
  for queue, of_queue in pairs(tallies) do
    for function_name, one in pairs(of_queue) do
      if next(one.events) then
        write_tally('queue', queue, one)
        write_tally('function', function_name, one)
      end
    end
  end
end
