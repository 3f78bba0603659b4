-- renew: extend the leases that a worker still holds, and their unique keys with them.
--
-- KEYS[1]  the root
-- ARGV     lease_ms, then pairs of id and token
-- Returns  {id, 'lost'} for each lease that is another's or nobody's now, and {id, 'cancel'}
--          for each job that somebody asked to cancel.
-- Invariant: only a lease that is in the set under this token is extended. One that has expired
--          but was not reaped yet is still its owner's, unless its unique key is another's now.

local lease_ms = tonumber(ARGV[1])
local expiry = score(now + lease_ms)
local changed = {}

-- A server that is out of memory refuses ZADD, but not to a script that has begun to write: no
-- lease may be lost because others filled the server. (No job's id is empty.)
redis.call('ZREM', leases, '')

-- Extend the job's unique key, if it has one. False if another job took it after the lease ran
-- out: two may not run under one key.
local function keeps_unique_key(id, unique_key, until_ms)
  if not unique_key or unique_key == '' then return true end
  local lock = root .. 'lock:unique:' .. unique_key
  local holder = redis.call('GET', lock)
  if holder and holder ~= id then return until_ms >= now end
  if not holder then
    redis.call('SET', lock, id, 'PX', lease_ms)
  elseif redis.call('PTTL', lock) < lease_ms then
    redis.call('PEXPIRE', lock, lease_ms)
  end
  return true
end

for i = 2, #ARGV, 2 do
  local id, token = ARGV[i], ARGV[i + 1]
  local f = job_fields(id, 'lease_token', 'job_unique_key', 'cancel_requested')
  local until_ms = f[1] == token and tonumber(redis.call('ZSCORE', leases, id) or nil)
  if until_ms and keeps_unique_key(id, f[2], until_ms) then
    redis.call('ZADD', leases, expiry, id)
    if f[3] then changed[#changed + 1] = {id, 'cancel'} end
  else
    changed[#changed + 1] = {id, 'lost'}
  end
end
return changed
