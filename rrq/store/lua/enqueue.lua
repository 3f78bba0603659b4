--! use _wake _tally _new_job _plain_jobs _history _end _enqueue
-- enqueue: put jobs into their queues, all of them or none.
--
-- KEYS[1]  the root
-- ARGV     default DLQ, count of jobs, then each job as `_new_job.lua` describes it
-- Returns  {now_ms, answer for each job}, an answer being
--            {'queued', id, due_ms}      a new job, or a waiting one with a new definition
--            {'repeated', id, due_ms}    this very call was already carried out
--            {'duplicate', holder}       skipped: the unique key is held
--          or {now_ms, {'refused', index, 'duplicate' or 'running', holder}}, nothing written.
-- Invariant: a job is in at most one of {a queue, the lease set}; one id, one definition.

local taken = {}
for i, job in ipairs(jobs) do
  local kind, holder = refusal(job, taken)
  if kind then return {score(now), {'refused', i - 1, kind, holder}} end
end

local answers = {score(now)}
for i, job in ipairs(jobs) do answers[i + 1] = enqueue(job) end
write_tallies()
return answers
