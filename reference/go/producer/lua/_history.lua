-- Jobs that have ended: who hears of it, how long they are kept, and their index, by status, queue and
-- function, in lists of a minute each.
--
--   history                          sorted set: the stretches, by their last minute
--   history:minutes:<stretch>        sorted set: the minutes that it has a list for
--   history:ended:<minute>:<stretch>
--                                    list: '<ms of the end> <id>', the newest last; expires with
--                                    the last of its jobs
--
-- A stretch is '<status>:<bytes of queue>:<queue>:<function>'. An entry may outlive its job, or
-- its job may have run again since: whoever reads it asks the job. Ends are collected in the
-- tallies of `_tally.lua`, written once at the end of a step, and cannot make a step fail.

-- Tell the clients that wait for this job that it has ended.
local function tell_waiters(id)
  local waiters = root .. 'waiters:' .. id
  for _, reader in ipairs(redis.call('SMEMBERS', waiters)) do post(reader, 'done ' .. id) end
  redis.call('DEL', waiters)
end

-- No TTL is longer: about 300 years.
local MAX_TTL_SECONDS = 1e10

-- Most jobs of a step have the same.
local last_own_ttl, last_ttl = 0, nil -- no field is a number

-- The result TTL of a job: its own, else the default; a negative one counts as 0, for ever.
local function result_ttl(own, default)
  if own ~= last_own_ttl then
    local seconds = tonumber(own)
    if not seconds or seconds ~= seconds then seconds = tonumber(default) end
    last_own_ttl, last_ttl = own, math.min(MAX_TTL_SECONDS, math.max(0, math.floor(seconds)))
  end
  return last_ttl
end

local function let_expire(key, ttl_seconds)
  if ttl_seconds > 0 then redis.call('EXPIRE', key, ttl_seconds) else redis.call('PERSIST', key) end
end

local MAX_STRETCHES, HISTORY_KEPT_SECONDS = 5000, 30 * 86400
local ended_at

-- The jobs of a tally that ended with this status.
local function ends_of(tally, status)
  local ended = tally.ended or {}
  tally.ended = ended
  ended[status] = ended[status] or {ttl_seconds = 0}
  return ended[status]
end

-- Note the end of a job that is kept for `ttl_seconds`, 0 for ever: then it stays in the history
-- for as long as anything does.
local function note_end(ends, id, ttl_seconds)
  if ttl_seconds <= 0 or ttl_seconds > HISTORY_KEPT_SECONDS then
    ttl_seconds = HISTORY_KEPT_SECONDS
  end
  if ttl_seconds > ends.ttl_seconds then ends.ttl_seconds = ttl_seconds end
  ended_at = ended_at or string.format('%d ', now - now % 1)
  ends[#ends + 1] = ended_at .. id
end

local function remember_end(id, status, queue, function_name, ttl_seconds)
  note_end(ends_of(tally_of(queue, function_name), status), id, ttl_seconds)
end

local function stretch_of(status, queue, function_name)
  return string.format('%s:%d:', status, #queue) .. queue .. ':' .. function_name
end

-- The stretch that this minute's first ends belong to: beyond MAX_STRETCHES, new ones share one.
local function entered_stretch(status, queue, function_name)
  local function note_minute(key, member)
    redis.pcall('ZADD', key, minute, member)
    redis.pcall('EXPIRE', key, HISTORY_KEPT_SECONDS + 3600)
  end

  local stretches, stretch = root .. 'history', stretch_of(status, queue, function_name)
  local last = redis.pcall('ZSCORE', stretches, stretch)
  if type(last) == 'string' and tonumber(last) >= minute then return stretch end
  local oldest = minute - HISTORY_KEPT_SECONDS / 60
  redis.pcall('ZREMRANGEBYSCORE', stretches, '-inf', oldest)
  if not last and cardinality(stretches) >= MAX_STRETCHES then
    stretch = stretch_of(status, OTHERS, OTHERS)
  end
  local minutes = root .. 'history:minutes:' .. stretch
  redis.pcall('ZREMRANGEBYSCORE', minutes, '-inf', oldest)
  note_minute(stretches, stretch)
  note_minute(minutes, minute)
  return stretch
end

local function write_ends(status, queue, function_name, ends)
  local minute_lists = root .. 'history:ended:' .. minute_text .. ':'
  queue, function_name = counted_as.queue[queue], counted_as['function'][function_name]
  local key = minute_lists .. stretch_of(status, queue, function_name)
  local kept_ms = redis.pcall('PTTL', key)
  -- Where a list is, its stretch has its place.
  if type(kept_ms) ~= 'number' or kept_ms < 0 then
    key = minute_lists .. entered_stretch(status, queue, function_name)
    kept_ms = redis.pcall('PTTL', key)
  end
  redis.pcall('RPUSH', key, unpack(ends))
  if type(kept_ms) == 'number' and kept_ms < ends.ttl_seconds * 1000 then
    redis.pcall('EXPIRE', key, ends.ttl_seconds + 60)
  end
end

local function write_history()
  for queue, of_queue in pairs(tallies) do
    for function_name, tally in pairs(of_queue) do
      for status, ends in pairs(tally.ended or {}) do
        if #ends > 0 then write_ends(status, queue, function_name, ends) end
      end
    end
  end
end
