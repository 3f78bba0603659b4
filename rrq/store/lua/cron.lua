--! use _wake _tally _new_job _history _end _enqueue
-- cron: enqueue a cron job for a slot, unless that slot was already taken.
--
-- KEYS[1]  the root
-- ARGV     default DLQ, the cron job's name, its schedule, the slot (ms), grace_ms,
--          misfire (skip|run), then the job as `_new_job.lua` describes it
-- Returns  {'queued' or 'duplicate', job id}, or one of
--            {'registered'}  seen for the first time, or with a new schedule: from now on
--            {'taken'}       another worker, or an earlier call, had this slot
--            {'missed'}      nobody took it within the grace, and it is to be skipped then
-- Invariant: `cron:<name>` holds the last slot that was taken or skipped; it only grows while
--          the schedule stays the same.

local KEPT_SECONDS = 400 * 86400

local key, schedule, slot = root .. 'cron:' .. ARGV[2], ARGV[3], tonumber(ARGV[4])
local stored = redis.call('GET', key)
local last, last_schedule = string.match(stored or '', '^(%d+) (.*)$')

local function take()
  redis.call('SET', key, string.format('%d %s', slot, schedule), 'EX', KEPT_SECONDS)
end

if not last or last_schedule ~= schedule then
  take()
  return {'registered'}
end
if tonumber(last) >= slot then return {'taken'} end
take()
if now - slot > tonumber(ARGV[5]) and ARGV[6] == 'skip' then return {'missed'} end
local answer = enqueue((read_job(7, 0)))
write_tallies()
return {answer[1], answer[2]}
