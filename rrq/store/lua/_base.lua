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

local function job_key(id) return root .. 'job:' .. id end

-- Fields of a job, as HMGET gives them; none if the key holds no hash, which no step may trip over.
local function job_fields(id, ...)
  local fields = redis.pcall('HMGET', job_key(id), ...)
  return fields.err and {} or fields
end

-- A due time or expiry as a score: three decimals keep the microseconds, and with them the order
-- in which jobs of the same millisecond were enqueued.
local last_scored, last_score
local function score(ms)
  if ms ~= last_scored then last_scored, last_score = ms, string.format('%.3f', ms) end
  return last_score
end

-- The last moment that RFC 3339 can name; whatever is asked to be later happens then.
local LAST_MS = 253402300799999

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

-- A second since the epoch as RFC 3339 without its fraction, in UTC. The calendar arithmetic is
-- Howard Hinnant's civil_from_days ("chrono-Compatible Low-Level Date Algorithms").
local function iso_second(seconds)
  local days = math.floor(seconds / 86400)
  local rest = seconds - days * 86400
  local z = days + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor(
    (doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local day = doy - math.floor((153 * mp + 2) / 5) + 1
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d', year, month, day,
    math.floor(rest / 3600), math.floor(rest % 3600 / 60), rest % 60)
end

-- Most times that a step writes are of the same second, and many are the same.
local last_second, last_second_text, last_written, last_text

-- Milliseconds since the epoch as RFC 3339 in UTC.
local function iso(ms)
  if ms == last_written then return last_text end
  -- Split before rounding: microseconds since the epoch are too many digits for a double.
  local whole_ms = math.floor(ms)
  local rest_micros = math.floor((ms - whole_ms) * 1000 + 0.5)
  if rest_micros == 1000 then whole_ms, rest_micros = whole_ms + 1, 0 end
  local seconds = math.floor(whole_ms / 1000)
  if seconds ~= last_second then
    last_second, last_second_text = seconds, iso_second(seconds)
  end
  local micros = (whole_ms - seconds * 1000) * 1000 + rest_micros
  last_written, last_text = ms, string.format('%s.%06dZ', last_second_text, micros)
  return last_text
end
