"""Why a job does not run: the evidence, as Redis has it at one instant, and what follows from it.

    evidence = await store.evidence.of(job_id)
    reasons = judge(evidence)  # the weightiest first

`evidence` says what is known, `judgement` orders the rules of `ended`, `running`, `waiting` and
`executors`. None of them knows Redis or a terminal.
"""

from rrq.explain.evidence import Evidence as Evidence
from rrq.explain.judgement import judge as judge
from rrq.explain.reason import Reason as Reason
