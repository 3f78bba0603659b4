-- renew: extend the leases that a worker still holds, and their unique keys with them.
--
-- KEYS[1]  the root
-- ARGV     lease_ms, then pairs of id and token
-- Returns  {id, 'lost'} for each lease that is another's or nobody's now, and {id, 'cancel'}
--          for each job that somebody asked to cancel.
-- Invariant: only a lease that is in the set under this token is extended. One that has expired
--          but was not reaped yet is still its owner's.

local expiry = score(now + ARGV[1])
local lease_ms = tonumber(ARGV[1])
local changed = {}
for i = 2, #ARGV, 2 do
  local id, token = ARGV[i], ARGV[i + 1]
  local f = redis.call('HMGET', job_key(id), 'lease_token', 'job_unique_key', 'cancel_requested')
  if f[1] == token and redis.call('ZSCORE', leases, id) then
    redis.call('ZADD', leases, expiry, id)
    if f[2] and f[2] ~= '' then
      local lock = root .. 'lock:unique:' .. f[2]
      if redis.call('GET', lock) == id and redis.call('PTTL', lock) < lease_ms then
        redis.call('PEXPIRE', lock, ARGV[1])
      end
    end
    if f[3] then changed[#changed + 1] = {id, 'cancel'} end
  else
    changed[#changed + 1] = {id, 'lost'}
  end
end
return changed
