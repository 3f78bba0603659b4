"""Minutes of random faults on several workers, and the account at the end.

    python -m tests.faults.soak --minutes 3 --seed 7

The seed decides which faults and jobs come, in which order and with which pauses; the same seed
brings the same again, as far as the machine's own timing allows.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.chaos import Chaos, Post
from tests.faults.invariants import all_is_accounted_for, nothing_is_left
from tests.faults.proxy import Proxy
from tests.faults.rig import TERMINAL, Rig, fault_server
from tests.faults.traffic import Traffic

WORKERS = 3
JOBS_PER_SECOND = 40.0
QUIET_SECONDS = 90.0
"""How long the work that is left may take once the faults have ended."""


@dataclass(slots=True)
class Account:
    """What a soak came to.

    Attributes:
        killed: dead letters that were lost too often, though they kill nobody: the faults killed
            their workers and processes more than `max_lost` times.
        broken: the first promise that was broken, if one was.
    """

    seed: int
    seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    jobs_in: int = 0
    states: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    runs_cut_off: int = 0
    settled_twice: int = 0
    lost: int = 0
    killed: int = 0
    broken: str | None = None

    def rows(self) -> list[tuple[str, str, int]]:
        """The table: section, line, number."""
        return [
            *(("faults injected", kind, count) for kind, count in self.faults.most_common()),
            ("faults injected", "all", self.faults.total()),
            *(("jobs in", kind, count) for kind, count in self.kinds.most_common()),
            ("jobs in", "all", self.jobs_in),
            *(("jobs accounted for", state, count) for state, count in self.states.most_common()),
            ("jobs accounted for", "all", self.states.total()),
            ("jobs accounted for", "of them killed too often", self.killed),
            ("runs of handlers", "begun", self.runs),
            ("runs of handlers", "raised or cut off", self.runs_cut_off),
            ("broken promises", "settled twice", self.settled_twice),
            ("broken promises", "lost", self.lost),
        ]


async def soak(minutes: float, seed: int, folder: Path) -> Account:
    """Run one soak in an empty folder."""
    account = Account(seed)
    began = time.monotonic()
    # Two sources, so that the jobs do not depend on how many faults there was time for.
    with fault_server() as server:
        async with AsyncExitStack() as stack:
            rig = await stack.enter_async_context(Rig(server, folder))
            chaos = Chaos(rig, random.Random(f"faults {seed}"))
            traffic = Traffic(rig.client, random.Random(f"jobs {seed}"), JOBS_PER_SECOND)
            for _ in range(WORKERS):
                socket = str(server.directory / "redis.sock")
                proxy = await stack.enter_async_context(Proxy(socket))
                chaos.posts.append(Post(proxy, rig.start_worker(dsn=proxy.dsn)))
            for post in chaos.posts:
                await rig.ready(post.worker)
            try:
                await _for_a_while(minutes * 60, traffic, chaos)
                await _take_account(rig, chaos, traffic, account)
            except AssertionError as error:
                account.broken = str(error) or repr(error)
    account.seconds = time.monotonic() - began
    return account


async def _for_a_while(seconds: float, traffic: Traffic, chaos: Chaos) -> None:
    runs = (traffic.run(), traffic.run_bulk(), chaos.run())
    tasks = [asyncio.create_task(run) for run in runs]
    done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for ended in done:
        ended.result()
    traffic.stop()
    chaos.stop()
    await asyncio.gather(*tasks)
    await chaos.heal()


async def _take_account(rig: Rig, chaos: Chaos, traffic: Traffic, account: Account) -> None:
    there = await rig.statuses(traffic.uncertain)
    jobs = [*traffic.accepted, *(job_id for job_id, status in there.items() if status != "lost")]
    account.faults, account.kinds, account.jobs_in = chaos.injected, traffic.kinds, len(jobs)
    account.kinds["answer was lost"] = len(jobs) - len(traffic.accepted)
    try:
        await rig.all_ended(jobs, QUIET_SECONDS)
    finally:
        states = await rig.statuses(jobs)
        pasts = rig.journal().pasts
        account.states = Counter(states.values())
        account.lost = sum(status not in TERMINAL for status in states.values())
        account.settled_twice = sum(len(pasts[job_id].settled) > 1 for job_id in jobs)
        account.killed = len(await killed(rig, states))
        account.runs = len(rig.ledger.starts())
        account.runs_cut_off = len(rig.ledger.running())
    await all_is_accounted_for(rig, jobs)
    await nothing_is_left(rig)


async def killed(rig: Rig, states: dict[str, str]) -> list[str]:
    """Those that failed because they were lost too often, though their handlers kill nobody."""
    failed = [await rig.job(job_id) for job_id, status in states.items() if status == "FAILED"]
    lost = [job for job in failed if (job.last_error or "").startswith("Job was lost")]
    return [job.id for job in lost if job.function_name != "killing"]


def main() -> int:
    """The command; 0 if every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    options = parser.parse_args()
    print(f"seed {options.seed}: {options.minutes:g} minutes of faults", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="rrq-soak-"))
    account = asyncio.run(soak(options.minutes, options.seed, folder))
    for section, line, number in account.rows():
        print(f"{section:20} {line:32} {number:8,}")
    print(f"{account.seconds:.0f} s; seed {account.seed}")
    if account.broken:
        print(f"BROKEN: {account.broken}\nlogs and ledger: {folder}", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
