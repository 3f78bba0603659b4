"""The orchestrator: one stage a file, in the order in which a job meets them.

intake → routing → dispatch → settlement, with leases, mailbox and heartbeat beside them. A stage
knows the next one only through two types: `Claim` (what was leased) and `Verdict` (what becomes
of it). `worker.py` puts the stages together.
"""
