--! use _wake _tally _history _end
-- mend_unique: free a unique key whose holder does not need it, or pass it on.
--
-- KEYS[1]  the root
-- ARGV     unique key, id of its holder, unique_ttl_ms
-- Returns  1, or 0 if the key has another holder, or one that needs it
-- Invariant: a key is taken from no job that has it in its hash and has yet to end.

local unique_key, id = ARGV[1], ARGV[2]
unique_ttl_ms = tonumber(ARGV[3])
if redis.call('GET', root .. 'lock:unique:' .. unique_key) ~= id then return 0 end
local f = job_fields(id, 'status', 'job_unique_key')
local has_ended = f[1] == 'COMPLETED' or f[1] == 'FAILED' or f[1] == 'CANCELLED'
if f[2] == unique_key and not has_ended then return 0 end
release_unique(unique_key, id)
return 1
