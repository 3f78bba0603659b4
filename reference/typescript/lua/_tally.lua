-- Counting what happens to jobs, by queue and by function, in buckets of a minute and in totals.
--
--   stats:queues, stats:functions     sorted sets: the names that are counted, by the last minute
--   stats:minute:<minute>:queue:<name>
--                                     hash: how many events of each kind in that minute; sums
--                                     `wait_us` and `run_us`; histograms `wait:<n>` and `run:<n>`.
--                                     Each start has its wait, so that starts need no count
--   stats:queue:<name>                hash: how many events of each kind before the last minute
--   stats:minute:<minute>:function:<name>, stats:function:<name>
--                                     the same by function
--
-- The first event of a name in another minute adds the name's last minute to its totals: so an event
-- is written once, and what has happened ever is the totals and the last minute.
--
-- A step tallies in its own memory while it works and writes the sums once, at its end, with
-- `write_tallies`: so a batch of jobs costs little more than one job. What stands under these keys
-- may never make a step fail: errors of Redis are answers here (`pcall`), and nobody looks at them.

local OTHERS, LAST_BUCKET = '(others)', 64
local TOTAL_KEPT_SECONDS = 30 * 86400

local minute = (now - now % 60000) / 60000
local minute_text = string.format('%d', minute)
local tallies = {}

-- Most jobs of a step are of the same function and queue.
local last_queue, last_function, last_tally

-- What is counted here of a function's jobs in a queue: `counts` by field of a minute's hash.
local function tally_of(queue, function_name)
  if function_name == last_function and queue == last_queue then return last_tally end
  local of_queue = tallies[queue]
  if not of_queue then
    of_queue = {}
    tallies[queue] = of_queue
  end
  local one = of_queue[function_name]
  if not one then
    one = {counts = {}}
    of_queue[function_name] = one
  end
  last_queue, last_function, last_tally = queue, function_name, one
  return one
end

-- Count an event of a job: enqueued, completed, failed, retried, dead_lettered, lost, released or
-- cancelled.
local function note_event(one, event)
  local counts = one.counts
  counts[event] = (counts[event] or 0) + 1
end

local function tally(queue, function_name, event) note_event(tally_of(queue, function_name), event) end

-- Times of one step are often alike: the fields that the last one was added to, and where its bucket
-- begins and ends.
local timed, sum_field, bucket_field, bucket_from_ms, bucket_below_ms

-- Count a time ('wait' or 'run') in its bucket: 0 is below a millisecond, n reaches up to
-- 2^(n/2) ms, so that a percentile is right to a fifth or better.
local function note_time(one, what, ms)
  if ms < 0 then ms = 0 end
  if what ~= timed or ms < bucket_from_ms or ms >= bucket_below_ms then
    local bucket = 0
    if ms >= 1 then
      bucket = math.min(LAST_BUCKET, 1 + math.floor(math.log(ms) * 2.8853900817779268)) -- 2 / ln 2
    end
    bucket_from_ms = bucket > 0 and 2 ^ ((bucket - 1) / 2) or 0
    bucket_below_ms = bucket < LAST_BUCKET and 2 ^ (bucket / 2) or math.huge
    timed, sum_field, bucket_field = what, what .. '_us', string.format('%s:%d', what, bucket)
  end
  local counts, us = one.counts, ms * 1000 + 0.5
  counts[sum_field] = (counts[sum_field] or 0) + us - us % 1
  counts[bucket_field] = (counts[bucket_field] or 0) + 1
end

local function cardinality(key)
  local count = redis.pcall('ZCARD', key)
  return type(count) == 'number' and count or 0
end

local function minute_key(of_minute, kind, name)
  return root .. 'stats:minute:' .. of_minute .. ':' .. kind .. ':' .. name
end

-- Add the last minute of a name, which is over, to its totals.
local function add_to_totals(kind, name, last_minute)
  local MINUTE_KEPT_SECONDS = 2 * 3600
  local total = root .. 'stats:' .. kind .. ':' .. name
  local bucket = minute_key(string.format('%d', last_minute), kind, name)
  local events = {'enqueued', 'completed', 'failed', 'retried', 'dead_lettered', 'lost', 'released',
    'cancelled'}
  local waits, started = {}, 0
  for n = 0, LAST_BUCKET do waits[n + 1] = string.format('wait:%d', n) end
  for _, count in ipairs(redis.pcall('HMGET', bucket, unpack(waits))) do
    started = started + (tonumber(count or 0) or 0)
  end
  if started > 0 then redis.pcall('HINCRBY', total, 'started', started) end
  for i, count in ipairs(redis.pcall('HMGET', bucket, unpack(events))) do
    if count then redis.pcall('HINCRBY', total, events[i], count) end
  end
  redis.pcall('EXPIRE', total, TOTAL_KEPT_SECONDS)
  redis.pcall('EXPIRE', bucket, MINUTE_KEPT_SECONDS)
end

-- Where a name is counted that this minute has not met with this event: under its own name, or, if it
-- is very long or there are very many, with others. A name that nobody used for as long as totals are
-- kept gives its place up. Returns that name, and whether this minute is new to it.
local function entered(kind, name)
  local MAX_NAMES, MAX_NAME_BYTES, oldest = 1000, 200, minute - TOTAL_KEPT_SECONDS / 60
  local names = root .. 'stats:' .. kind .. 's'
  local last = redis.pcall('ZSCORE', names, name)
  if not last and name ~= OTHERS then
    local has_place = #name <= MAX_NAME_BYTES
    if has_place and cardinality(names) >= MAX_NAMES then
      redis.pcall('ZREMRANGEBYSCORE', names, '-inf', oldest)
      has_place = cardinality(names) < MAX_NAMES
    end
    if not has_place then
      name = OTHERS
      last = redis.pcall('ZSCORE', names, name)
    end
  end
  local last_minute = type(last) == 'string' and tonumber(last) or oldest
  if last_minute >= minute then return name, false end
  if last_minute > oldest then add_to_totals(kind, name, last_minute) end
  redis.pcall('ZADD', names, minute, name)
  redis.pcall('EXPIRE', names, TOTAL_KEPT_SECONDS)
  -- A plain producer, which writes a hash and a sorted set, does not tell of its queue.
  if kind == 'queue' and name ~= OTHERS then redis.pcall('SADD', root .. 'queues', name) end
  return name, true
end

-- Under which names this step counts the names that it has met, by kind.
local counted_as

local function write_tally(kind, name, counts)
  local bucket = minute_key(minute_text, kind, name)
  local known_as, counted, is_new_minute = counted_as[kind][name], nil, false
  if not known_as then
    -- Almost always this minute has met this before, and nothing has to be looked up.
    counted, known_as = next(counts), name
    local sum = redis.pcall('HINCRBY', bucket, counted, counts[counted])
    if type(sum) ~= 'number' or sum <= counts[counted] then
      if sum == counts[counted] then redis.pcall('HDEL', bucket, counted) end
      counted = nil
      known_as, is_new_minute = entered(kind, name)
    end
    counted_as[kind][name] = known_as
  end
  if known_as ~= name then bucket = minute_key(minute_text, kind, known_as) end
  for field, count in pairs(counts) do
    if field ~= counted then redis.pcall('HINCRBY', bucket, field, count) end
  end
  if is_new_minute then redis.pcall('EXPIRE', bucket, TOTAL_KEPT_SECONDS) end
end

local function write_tallies()
  counted_as = {queue = {}, ['function'] = {}}
  for queue, of_queue in pairs(tallies) do
    for function_name, one in pairs(of_queue) do
      if next(one.counts) then
        write_tally('queue', queue, one.counts)
        write_tally('function', function_name, one.counts)
      end
    end
  end
end
