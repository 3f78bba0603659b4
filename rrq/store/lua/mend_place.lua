--! use _as_seen
-- mend_place: take a job, or an id that is none, out of places where it must not be, and have its
-- hash say where it is.
--
-- KEYS[1]  the root
-- ARGV     the job as it was seen (`_as_seen.lua`), '1' if it shall leave the lease set, its
--          status or '', its queue (bare) or '', '1' if it shall lose its TTL
-- Returns  1, or 0 if the job is not as it was seen: nothing was done then
-- Invariant: whoever calls this leaves the job in one place, or in none if it has ended or is no
--          job.

if not is_as_seen() then return 0 end
for i = 10, own - 1, 3 do
  if ARGV[i + 2] == '1' then redis.call('ZREM', queue_root .. ARGV[i], id) end
end
if ARGV[2] == 'none' then redis.call('ZREM', root .. 'unborn', id) end
if ARGV[own] == '1' then
  redis.call('ZREM', leases, id)
  if ARGV[2] == 'hash' then redis.call('HDEL', key, 'lease_token') end
end
if ARGV[own + 1] ~= '' then redis.call('HSET', key, 'status', ARGV[own + 1]) end
if ARGV[own + 2] ~= '' then redis.call('HSET', key, 'queue_name', ARGV[own + 2]) end
if ARGV[own + 3] == '1' then redis.call('PERSIST', key) end
return 1
