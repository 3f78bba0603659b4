--! use _wake _tally _history _end
-- sweep: requeue or delete dead letters, one stretch of the list a call, the oldest first.
--
-- KEYS[1]  the root
-- ARGV     'requeue' or 'delete', DLQ (bare), kept, anchor, target queue (bare) or '' for each
--          job's own, default queue (bare), unique_ttl_ms, then two for each entry, the oldest
--          first: id, and what to do with it:
--            keep  it stays
--            gone  it is removed if it has no hash
--            any   it is swept
--            else  it is swept if this is its `completion_time` still: it was chosen by what was
--                  read of it, and may have run and failed again since
-- Returns  {entries seen, swept, expired, alive, refused, kept, anchor}: `expired` entries had no
--          hash and `alive` ones belonged to a job that waits, runs or ended well: only the entry
--          was removed; `refused` ones stay, for their key or their queue's is of another type
-- Invariant: an id leaves the list in the very step that puts it into its queue, or deletes its
--          hash. So it is always in exactly one of the two, however the caller ends.
--
-- Design: taking an id out of a list by its value costs a search of the list for each. So the list
-- is walked by place, from its tail, which no new dead letter moves (they come in at the head).
-- What stays behind stays where it is: `kept` counts those entries at the tail, and `anchor` is
-- the newest of them. Nothing is moved aside, so there is nothing to restore after an
-- interruption, and whoever reads the list meanwhile sees all of it in its order. The cursor is
-- the caller's, and a new run needs none: it starts at the tail.
--   The caller reads the entries beyond the cursor and sends them with its decision. The step
-- walks along as long as the list is what the caller read, and stops at the first difference. If
-- somebody removed entries below the cursor, the anchor is not where it was: the step then only
-- looks for it, and without it starts anew from the tail.
-- Sent again after a dropped connection, it meets another list, and does nothing.
--   Removal: with nothing kept below, the tail is cut off. Else the places are overwritten and
-- removed together by one LREM from the tail, which passes over what was kept: some 10 ns for
-- each entry, once a call.
--   Cost: a few microseconds for each entry sent, which the caller bounds.

local action, list = ARGV[1], root .. 'dlq:' .. ARGV[2]
local kept, anchor = tonumber(ARGV[3]), ARGV[4]
local target, default_queue = ARGV[5], ARGV[6]
unique_ttl_ms = tonumber(ARGV[7])

if kept > 0 and redis.call('LINDEX', list, -kept) ~= anchor then
  local place = redis.call('LPOS', list, anchor, 'RANK', -1, 'MAXLEN', kept)
  local now_kept = place and redis.call('LLEN', list) - place or 0
  return {0, 0, 0, 0, 0, now_kept, place and anchor or ''}
end

local queue_kinds, known_queues, doomed = {}, {}, {}

local function kind_of_queue(queue)
  queue_kinds[queue] = queue_kinds[queue] or redis.call('TYPE', queue_root .. queue).ok
  return queue_kinds[queue]
end

local function waits_in(queue, id)
  return kind_of_queue(queue) == 'zset' and redis.call('ZSCORE', queue_root .. queue, id)
end

local function requeue(id, queue, fields, place)
  local key = job_key(id)
  redis.call('HSET', key, 'current_retries', 0, 'lost_count', 0)
  if target ~= '' or not fields[2] then redis.call('HSET', key, 'queue_name', queue) end
  redis.call('HDEL', key, 'completion_time', 'cancel_requested')
  if fields[3] and fields[3] ~= '' then
    redis.call('SET', root .. 'lock:unique:' .. fields[3], id, 'NX', 'PX', ARGV[7])
  end
  if not known_queues[queue] then
    redis.call('SADD', root .. 'queues', queue)
    known_queues[queue] = true
  end
  -- A microsecond for each keeps them in order.
  queue_again(id, queue, 'PENDING', now + place * 0.001)
  tally(queue, fields[5] or '', 'enqueued')
  queue_kinds[queue] = 'zset'
end

-- What becomes of one entry; nil if it stays.
local function sweep(id, wanted, place)
  local fields = job_fields(id, 'status', 'queue_name', 'job_unique_key', 'completion_time',
    'function_name')
  local kind = fields[1] and 'hash' or redis.call('TYPE', job_key(id)).ok
  if kind == 'none' then return 'expired' end
  if fields[2] == '' then fields[2] = false end
  if wanted == 'gone' then return nil end
  if wanted ~= 'any' and wanted ~= (fields[4] or '') then return nil end
  local own = bare(fields[2] or default_queue, queue_root)
  local queue = target ~= '' and target or own
  if fields[1] == 'COMPLETED' or fields[1] == 'CANCELLED' or redis.call('ZSCORE', leases, id)
    or waits_in(own, id) or waits_in(queue, id) then
    return 'alive'
  end
  if action == 'delete' then
    doomed[#doomed + 1] = id
    return 'swept'
  end
  local queue_kind = kind_of_queue(queue)
  if kind ~= 'hash' or (queue_kind ~= 'zset' and queue_kind ~= 'none') then return 'refused' end
  requeue(id, queue, fields, place)
  return 'swept'
end

local count = (#ARGV - 7) / 2
local stretch = redis.call('LRANGE', list, -(kept + count), -(kept + 1))
local counts = {swept = 0, expired = 0, alive = 0, refused = 0}
local seen, removed = 0, {}
for i = 1, count do
  local id, wanted = ARGV[6 + 2 * i], ARGV[7 + 2 * i]
  if stretch[#stretch + 1 - i] ~= id then break end
  seen = i
  local became = wanted ~= 'keep' and sweep(id, wanted, i)
  if became then
    counts[became] = counts[became] + 1
    if became ~= 'refused' then removed[#removed + 1] = i end
  end
end

if kept == 0 and #removed == seen then
  if seen > 0 then redis.call('LTRIM', list, 0, -(seen + 1)) end
elseif #removed > 0 then
  local REMOVED = '\0removed by sweep'
  for _, i in ipairs(removed) do redis.call('LSET', list, -(kept + i), REMOVED) end
  redis.call('LREM', list, -#removed, REMOVED)
end
-- Only now: of the commands above some need memory, and refuse before anything was done.
for _, id in ipairs(doomed) do redis.call('DEL', job_key(id)) end
write_tallies()

kept = kept + seen - #removed
return {seen, counts.swept, counts.expired, counts.alive, counts.refused, kept,
  kept > 0 and redis.call('LINDEX', list, -kept) or ''}
