-- Waking parked workers, and putting a job where they find it.

-- How long a message waits in a mailbox for a reader that may be gone.
local MAILBOX_TTL_MS = 60000

local function post(reader, message)
  local mailbox = root .. 'mailbox:' .. reader
  redis.call('RPUSH', mailbox, message)
  redis.call('PEXPIRE', mailbox, MAILBOX_TTL_MS)
end

-- Queues on which nobody is parked: none parks while a step is under way.
local nobody_parked = {}

-- Wake one parked worker of a queue. The one that parked last is the likeliest to live, and if
-- its entry has expired, so have all the others.
local function wake(queue)
  if nobody_parked[queue] then return end
  local idle = root .. 'idle:' .. queue
  local parked = redis.call('ZPOPMAX', idle)
  if #parked == 0 or tonumber(parked[2]) < now then
    if #parked > 0 then redis.call('DEL', idle) end
    nobody_parked[queue] = true
    return
  end
  post(parked[1], 'wake')
end

-- Put a job in its queue. A worker must hear of it when it is due, and also when it is the next
-- to become due, since parked workers sleep until the time that they were told.
local function put_in_queue(queue, id, due)
  local key = queue_root .. queue
  redis.call('ZADD', key, score(due), id)
  -- Jobs of one call are due microseconds apart: the last of them will be due when it returns.
  if due < now + 1 or redis.call('ZRANGE', key, 0, 0)[1] == id then wake(queue) end
end
