"""Ask executors in four languages for greetings, and verify every answer.

    python producer.py --count 10

Exits with 1 if an answer is not as it must be.
"""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import dataclass

from spans import exported, span

from rrq import RRQClient
from rrq.config import load_toml_settings
from rrq.exc import JobFailed
from rrq.job import Job


@dataclass(frozen=True)
class Way:
    """How a job gets to an executor: by the prefix of its function, or by its queue."""

    prefix: str
    queue: str
    language: str


WAYS = [
    Way("", "default", "Python"),
    Way("rust#", "default", "Rust"),
    Way("go#", "default", "Go"),
    Way("typescript#", "default", "TypeScript"),
    Way("", "for-rust", "Rust"),
    Way("", "for-go", "Go"),
    Way("", "for-typescript", "TypeScript"),
    # A prefix counts more than a queue.
    Way("python#", "for-go", "Python"),
]


async def main(count: int) -> int:
    """Enqueue along every way, and print what came of it; returns the exit code."""
    problems: list[str] = []
    async with RRQClient(load_toml_settings()) as client:
        asked = [(way, *await ask(client, way, number)) for way in WAYS for number in range(count)]
        for way, name, greeted, refused in asked:
            expected = {"greeting": f"Hello {name}", "language": way.language}
            if (answer := await client.wait(greeted, timeout=30)) != expected:
                problems.append(f"job {greeted.id}: {answer!r}, not {expected!r}")
            if (error := await error_of(client, refused)) != f"not {name}":
                problems.append(f"job {refused.id}: error {error!r}, not 'not {name}'")
    for way in WAYS:
        print(f"{way.prefix + 'greet':17} {way.queue:15} {way.language}")
    print(*problems, sep="\n", end="\n" if problems else "")
    print(f"{2 * len(asked)} jobs, {len(problems)} not as they must be")
    return 1 if problems else 0


async def ask(client: RRQClient, way: Way, number: int) -> tuple[str, Job, Job]:
    """Enqueue a job that succeeds and one that fails twice; each begins a trace."""
    name = f"Zoë {number}"
    jobs = []
    for function, argument in (("greet", name), ("refuse", f"not {name}")):
        with span(f"ask to {function}"):
            job = await client.enqueue(
                way.prefix + function, argument, _queue_name=way.queue, _max_retries=2
            )
        assert job is not None  # only one with a unique key can be left out
        jobs.append(job)
    return name, *jobs


async def error_of(client: RRQClient, job: Job) -> str | None:
    """Why a job failed, or None if it did not."""
    try:
        await client.wait(job, timeout=30)
    except JobFailed:
        failed = await client.get_job(job.id)
        return failed.last_error if failed else None
    return None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=10, help="jobs of each kind, on each way")
    with exported("greetings-producer"):
        raise SystemExit(asyncio.run(main(parser.parse_args().count)))
