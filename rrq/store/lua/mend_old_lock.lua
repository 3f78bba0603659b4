-- mend_old_lock: delete what a worker of RRQ 0.9 left behind, unless one may still need it.
--
-- KEYS[1]  the root
-- ARGV     'job' and the id of the job that is locked, or 'worker' and the id of the worker whose
--          running jobs the key lists
-- Returns  1, or 0 if it was not there or may be in use

if ARGV[1] == 'job' then
  local lock, id = root .. 'lock:job:' .. ARGV[2], ARGV[2]
  local status = job_fields(id, 'status')[1]
  local has_ended = status == 'COMPLETED' or status == 'FAILED' or status == 'CANCELLED'
  local is_ours = redis.call('ZSCORE', leases, id)
  -- Such a worker locks a job before it marks it as ACTIVE; its locks always expire.
  if status and not has_ended and not is_ours
    and (status == 'ACTIVE' or redis.call('PTTL', lock) >= 0) then
    return 0
  end
  return redis.call('DEL', lock)
end
if redis.call('EXISTS', root .. 'health:worker:' .. ARGV[2]) == 1 then return 0 end
return redis.call('DEL', root .. 'active:jobs:' .. ARGV[2])
