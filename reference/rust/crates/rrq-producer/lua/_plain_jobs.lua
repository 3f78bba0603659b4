-- A call of the enqueue step whose jobs are all new and have no unique key ends here, which is most
-- of them: to set up what the fragments behind this one define takes longer than such a job.

local jobs, index, are_plain = {}, 3, true
for i = 1, tonumber(ARGV[2]) do
  jobs[i], index = read_job(index, i - 1)
  are_plain = are_plain and jobs[i].nonce == '' and jobs[i].unique_key == ''
end

if are_plain then
  local answers = {score(now)}
  for i, job in ipairs(jobs) do
    answers[i + 1] = was_carried_out(job) and repeated(job.id) or write(job)
  end
  write_tallies()
  return answers
end
