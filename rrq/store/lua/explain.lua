-- explain: everything that tells why a job does not run, as it is at one instant. Writes nothing.
--
-- KEYS[1]  the root
-- ARGV     id, default queue (bare), DLQ to look into (bare; the job's own comes before it),
--          most workers, most running jobs, count of fields, their names, then the bare names of
--          queues to look into if the id is not in its own
-- Returns  {now_ms, kind, fields, pttl, lease_expiry, unborn_since, places, queue, unique, workers,
--          running, dead}, where what there is not is empty:
--            kind     'hash', 'none', or 'other': another type
--            fields   of the job, in the order asked for
--            places   {queue (bare), due_ms} wherever the id waits, its own queue first
--            queue    {name (bare), '1' if paused, waiting, due, due before the job, parked
--                     workers}: the one that it waits in, or would
--            unique   {key, holder, pttl, its holder's status, queue, worker, function, due_ms if it
--                     waits, lease expiry if it runs}; no more than the key if nobody holds it
--            workers  {living, {id, expiry_ms, health}...}
--            running  {running, {id, worker, function, queue, start_time, lost_count}...}, the leases
--                     first that run out first
--            dead     {DLQ (bare), '1' if the id is among the newest entries}
-- Cost: bounded by ARGV and by the constants here; some 2 ms for 500 running jobs.

local MAX_HEALTH_BYTES, MAX_DEAD, MAX_PARKED = 1000000, 1000, 100

local id, default_queue, default_dlq = ARGV[1], ARGV[2], ARGV[3]
local max_workers, max_running, field_count = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])

-- The answer to a command; nil if the key holds another type, which must hide nothing else.
local function ask(...)
  local answer = redis.pcall(...)
  if type(answer) == 'table' and answer.err then
    if string.find(answer.err, 'WRONGTYPE', 1, true) then return nil end
    return redis.call(...) -- fails in its own words
  end
  return answer or nil
end

local function place_in(queue, of) return ask('ZSCORE', queue_root .. queue, of) end

local names = {}
for i = 1, field_count do names[i] = ARGV[6 + i] end
local job = redis.pcall('HMGET', job_key(id), unpack(names))
local kind = 'hash'
if job.err then
  kind, job = 'other', ask('HMGET', job_key(id), unpack(names)) or {}
else
  local is_set = false
  for i = 1, field_count do is_set = is_set or job[i] end
  if not is_set then kind, job = 'none', {} end
end
local own = job_fields(id, 'queue_name', 'job_unique_key', 'dlq_name')

local own_queue = bare(own[1] and own[1] ~= '' and own[1] or default_queue, queue_root)
local places = {}
local function look_into(queue)
  local due = place_in(queue, id)
  if due then places[#places + 1] = {queue, due} end
end
look_into(own_queue)
for i = 7 + field_count, #ARGV do
  if ARGV[i] ~= own_queue then look_into(ARGV[i]) end
end

local function describe_queue(name, due)
  local paused = '0'
  for _, one in ipairs(ask('SMEMBERS', root .. 'paused') or {}) do
    if one == name then paused = '1' end
  end
  local key = queue_root .. name
  local parked = ask('ZRANGEBYSCORE', root .. 'idle:' .. name, score(now), '+inf', 'LIMIT', 0, MAX_PARKED)
  return {name, paused, ask('ZCARD', key) or 0, ask('ZCOUNT', key, '-inf', score(now)) or 0,
    due and ask('ZCOUNT', key, '-inf', '(' .. due) or 0, #(parked or {})}
end

local function describe_unique(key)
  local lock = root .. 'lock:unique:' .. key
  local holder = ask('GET', lock)
  if not holder then return {key} end
  local f = job_fields(holder, 'status', 'queue_name', 'worker_id', 'function_name')
  local queue = bare(f[2] and f[2] ~= '' and f[2] or default_queue, queue_root)
  return {key, holder, ask('PTTL', lock), f[1] or '', queue, f[3] or '', f[4] or '',
    place_in(queue, holder) or '', ask('ZSCORE', leases, holder) or ''}
end

local function living_workers()
  local key, bytes = root .. 'workers', 0
  local found = {ask('ZCOUNT', key, score(now), '+inf') or 0}
  local alive = ask('ZRANGEBYSCORE', key, score(now), '+inf', 'WITHSCORES', 'LIMIT', 0, max_workers)
  for i = 1, #(alive or {}), 2 do
    local health = ask('GET', root .. 'health:worker:' .. alive[i]) or ''
    bytes = bytes + #health
    if bytes > MAX_HEALTH_BYTES then break end
    found[#found + 1] = {alive[i], alive[i + 1], health}
  end
  return found
end

local function running_jobs()
  local found = {ask('ZCARD', leases) or 0}
  for _, one in ipairs(ask('ZRANGE', leases, 0, max_running - 1) or {}) do
    local f = job_fields(one, 'worker_id', 'function_name', 'queue_name', 'start_time', 'lost_count')
    found[#found + 1] = {one, f[1] or '', f[2] or '',
      bare(f[3] and f[3] ~= '' and f[3] or default_queue, queue_root), f[4] or '', f[5] or ''}
  end
  return found
end

local function dead_letter_place()
  local dlq_root = root .. 'dlq:'
  local name = bare(own[3] and own[3] ~= '' and own[3] or default_dlq, dlq_root)
  for _, one in ipairs(ask('LRANGE', dlq_root .. name, 0, MAX_DEAD - 1) or {}) do
    if one == id then return {name, '1'} end
  end
  return {name, '0'}
end

local first = places[1] or {own_queue}
return {
  score(now), kind, job, ask('PTTL', job_key(id)), ask('ZSCORE', leases, id) or '',
  ask('ZSCORE', root .. 'unborn', id) or '', places, describe_queue(first[1], first[2]),
  own[2] and own[2] ~= '' and describe_unique(own[2]) or {}, living_workers(), running_jobs(),
  dead_letter_place(),
}
