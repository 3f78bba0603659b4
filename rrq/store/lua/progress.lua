-- progress: keep what running handlers report, each only if its lease still stands.
--
-- KEYS[1]  the root
-- ARGV     three for each report: id, token, JSON
-- Returns  how many were kept

local kept = 0
for i = 1, #ARGV, 3 do
  local key = job_key(ARGV[i])
  if job_fields(ARGV[i], 'lease_token')[1] == ARGV[i + 1] and redis.call('ZSCORE', leases, ARGV[i]) then
    redis.call('HSET', key, 'progress', ARGV[i + 2])
    kept = kept + 1
  end
end
return kept
