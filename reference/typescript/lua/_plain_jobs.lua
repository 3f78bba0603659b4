-- A call of the enqueue step whose jobs are all new and have no unique key ends here, which is most
-- of them: to set up what the fragments behind this one define takes longer than such a job.

-- As many as fit in one command.
local MAX_TOGETHER = 2000

local jobs, keys, index, are_plain, ids = {}, {}, 3, true, {}
for i = 1, tonumber(ARGV[2]) do
  local job
  job, index = read_job(index, i - 1)
  are_plain = are_plain and job.nonce == '' and job.unique_key == '' and not ids[job.id]
  jobs[i], keys[i], ids[job.id] = job, job_root .. job.id, true
end
are_plain = are_plain and #jobs <= MAX_TOGETHER and redis.call('EXISTS', unpack(keys)) == 0

if are_plain and #jobs == 1 then
  local answers = {score(now), write(jobs[1])}
  write_tallies()
  return answers
end

if are_plain then
  local answers, places, due = {score(now)}, {}, {}
  for i, job in ipairs(jobs) do
    local queue, at = job.queue, score(job.due)
    local of_queue = places[queue]
    if not of_queue then
      of_queue = {}
      places[queue], due[queue] = of_queue, 0
    end
    of_queue[#of_queue + 1] = at
    of_queue[#of_queue + 1] = job.id
    if job.due < now + 1 then due[queue] = due[queue] + 1 end
    answers[i + 1] = {'queued', job.id, at}
  end
  -- The queues first: an id without a hash is dropped, a hash without a place would stay.
  for queue, of_queue in pairs(places) do
    local key = queue_root .. queue
    redis.call('ZADD', key, unpack(of_queue))
    for _ = 1, due[queue] do wake(queue) end
    if due[queue] == 0 and ids[redis.call('ZRANGE', key, 0, 0)[1]] then wake(queue) end
  end
  for _, job in ipairs(jobs) do
    write_hash(job)
    make_known(job.queue)
    tally(job.queue, job.function_name, 'enqueued')
  end
  write_tallies()
  return answers
end
