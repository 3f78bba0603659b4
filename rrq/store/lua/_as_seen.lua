-- What a repair begins with: the job must still be as it was seen, or nothing is done. A step
-- that uses this has in ARGV
--
--   id, type of its key, status, queue (bare), lease token ('' for what is not set), '1' if it is
--   leased, '1' if its hash has a TTL, '1' if it has a lock of RRQ 0.9, count of queues, and three
--   for each queue: name (bare), '1' if the job waits in it, '1' if it shall leave it
--
-- and the step's own behind them, from ARGV[own] on.

local id = ARGV[1]
local key = job_key(id)
local own = 10 + 3 * tonumber(ARGV[9])

local function flag(is_set) return is_set and '1' or '' end

-- A key that holds another type counts as empty, as it does where the job was seen.
local function score_in(set, member)
  local answer = redis.pcall('ZSCORE', set, member)
  return type(answer) == 'string' and answer
end

local function is_as_seen()
  local f = job_fields(id, 'status', 'queue_name', 'lease_token')
  if redis.call('TYPE', key).ok ~= ARGV[2] or (f[1] or '') ~= ARGV[3]
    or bare(f[2] or '', queue_root) ~= ARGV[4] or (f[3] or '') ~= ARGV[5]
    or flag(score_in(leases, id)) ~= ARGV[6] or flag(redis.call('PTTL', key) >= 0) ~= ARGV[7]
    or flag(redis.call('EXISTS', root .. 'lock:job:' .. id) == 1) ~= ARGV[8] then
    return false
  end
  for i = 10, own - 1, 3 do
    if flag(score_in(queue_root .. ARGV[i], id)) ~= ARGV[i + 1] then return false end
  end
  return true
end
