-- What every step begins with: the root of all keys, Redis' own time, and how both are written.
--
-- KEYS[1]  the prefix with its colon (`rrq:`): the only declared key, so that a hash tag in the
--          prefix sends the step to the one slot that holds every key it touches.

-- Redis 6 and older replicate scripts as text unless told to replicate their effects.
if redis.replicate_commands then redis.replicate_commands() end

local root = KEYS[1]
local queue_root = root .. 'queue:'
local leases = root .. 'leases'

local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000 -- milliseconds, with microseconds as fraction

local job_root = root .. 'job:'
local function job_key(id) return job_root .. id end

-- Fields of a job, as HMGET gives them; none if the key holds no hash, which no step may trip over.
local function job_fields(id, ...)
  local fields = redis.pcall('HMGET', job_key(id), ...)
  return fields.err and {} or fields
end

-- The last moment that RFC 3339 can name; whatever is asked to be later happens then.
local LAST_MS = 253402300799999

-- The milliseconds and microseconds of a time as texts: most times that a step writes are of the
-- same millisecond.
local apart, whole_ms, whole_text, micros_text

local function take_apart(ms)
  if ms == apart then return end
  apart = ms
  -- Split before rounding: microseconds since the epoch are too many digits for a double.
  local whole = ms - ms % 1
  local micros = (ms - whole) * 1000 + 0.5
  micros = micros - micros % 1
  if micros == 1000 then whole, micros = whole + 1, 0 end
  micros_text = string.format('%03d', micros)
  if whole ~= whole_ms then whole_ms, whole_text = whole, string.format('%d.', whole) end
end

-- A due time or expiry as a score: three decimals keep the microseconds, and with them the order
-- in which jobs of the same millisecond were enqueued.
local function score(ms)
  if ms < 0 or ms > LAST_MS then return string.format('%.3f', ms) end
  take_apart(ms)
  return whole_text .. micros_text
end

-- A due time that a queue can take, from arithmetic that may have left the numbers.
local function due_time(ms)
  if ms ~= ms then return now end
  return math.min(ms, LAST_MS)
end

-- A queue's name without its key's prefix: both forms are allowed in a job's `queue_name`.
local function bare(name, kind_root)
  if string.sub(name, 1, #kind_root) == kind_root then
    return string.sub(name, #kind_root + 1)
  end
  return name
end

-- A second since the epoch as RFC 3339 up to its fraction, in UTC. The calendar arithmetic is
-- Howard Hinnant's civil_from_days ("chrono-Compatible Low-Level Date Algorithms").
local function iso_second(seconds)
  local rest = seconds % 86400
  local z = (seconds - rest) / 86400 + 719468
  local doe = z % 146097
  local era = (z - doe) / 146097
  local yoe = doe - (doe - doe % 1460) / 1460 + (doe - doe % 36524) / 36524
    - (doe - doe % 146096) / 146096
  yoe = (yoe - yoe % 365) / 365
  local doy = doe - (365 * yoe + (yoe - yoe % 4) / 4 - (yoe - yoe % 100) / 100)
  local mp = (5 * doy + 2 - (5 * doy + 2) % 153) / 153
  local of_month = 153 * mp + 2
  local day = doy - (of_month - of_month % 5) / 5 + 1
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  local in_hour = rest % 3600
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.', year, month, day,
    (rest - in_hour) / 3600, (in_hour - in_hour % 60) / 60, in_hour % 60)
end

-- Most times that a step writes are of the same second.
local written_ms, written_text, last_second, second_text

-- Milliseconds since the epoch as RFC 3339 in UTC.
local function iso(ms)
  take_apart(ms)
  if whole_ms ~= written_ms then
    local in_second = whole_ms % 1000
    local seconds = (whole_ms - in_second) / 1000
    if seconds ~= last_second then
      last_second, second_text = seconds, iso_second(seconds)
    end
    written_ms, written_text = whole_ms, second_text .. string.format('%03d', in_second)
  end
  return written_text .. micros_text .. 'Z'
end
