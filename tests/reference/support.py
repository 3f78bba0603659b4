"""What the tests of every language's reference implementation share."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

REFERENCE = Path(__file__).parents[2] / "reference"
RRQ = [sys.executable, "-m", "rrq"]


def need(*programs: str) -> None:
    """Skip the module where a language's toolchain is missing, by name."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"`{program}` is not installed", allow_module_level=True)


def done(command: list[str], cwd: Path, limit_seconds: float = 110, **environment: str) -> str:
    """What a command printed; the test fails with all its words if it does."""
    ran = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=limit_seconds,
    )
    assert ran.returncode == 0, f"{command} in {cwd}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


def absent(kind: str, command: list[str], cwd: Path) -> list[str]:
    """What `rrq executor check` or `rrq producer check` finds absent; nothing may be wrong."""
    told = json.loads(done([*RRQ, kind, "check", "--json", "--", *command], cwd))
    points = told["points"] if isinstance(told, dict) else told
    assert len(points) > 20
    return [point["name"] for point in points if point["status"] == "absent"]


class Journey:
    """Jobs on their way from a language's producer through a worker to its executor."""

    def __init__(self, dsn: str, folder: Path, executor: list[str], producer: list[str]) -> None:
        self.redis = redis.Redis.from_url(dsn, decode_responses=True)
        self._dsn, self._folder, self._producer = dsn, folder, producer
        (folder / "rrq.toml").write_text(
            f'[rrq]\nredis_dsn = {json.dumps(dsn)}\ndefault_executor_name = "reference"\n'
            f"[rrq.executors.reference]\npool_size = 1\ncmd = {json.dumps(executor)}\n"
        )

    def travel(self) -> None:
        """Enqueue, carry out, retry and cancel, and judge every result."""
        jobs = {f"echo {n}": ("echo", [n, "é"], {"half": n / 2}) for n in range(30)}
        jobs |= {
            "again": ("retry", [0.01], {"until": 3}),
            "bad": ("fail", ["no such customer"], {}),
            "unknown": ("missing", [], {}),
            "unwanted": ("sleep", [600], {}),
        }
        self._enqueue(jobs)
        worker = subprocess.Popen(
            [*RRQ, "worker", "run", "--burst"],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            self._eventually(lambda: self.job("unwanted").get("status") == "ACTIVE")
            self._eventually(lambda: self.job("again").get("status") == "COMPLETED")
            done([*RRQ, "job", "cancel", "unwanted"], self._folder)
            _, said = worker.communicate(timeout=30)
        finally:
            worker.kill()
            worker.wait()
        assert worker.returncode == 0, said
        for n in range(30):
            result = json.loads(self.job(f"echo {n}")["result"])
            assert result == {"args": [n, "é"], "kwargs": {"half": n / 2}}
        assert self.job("again")["current_retries"] == "2"
        assert json.loads(self.job("again")["result"]) == 3
        assert self.job("bad")["status"] == "FAILED"
        assert "no such customer" in self.job("bad")["last_error"]
        assert self.job("unknown")["current_retries"] == "1"
        assert self.job("unknown")["status"] == "FAILED"
        assert self.job("unwanted")["status"] == "CANCELLED"

    def job(self, job_id: str) -> dict[str, str]:
        """The fields of a job."""
        fields: Any = self.redis.hgetall(f"rrq:job:{job_id}")
        return dict(fields)

    def _enqueue(self, jobs: dict[str, tuple[str, list[Any], dict[str, Any]]]) -> None:
        vectors = self._folder / "jobs.json"
        cases = [
            {
                "name": job_id,
                "function_name": name,
                "args": json.dumps(args),
                "kwargs": json.dumps(kwargs),
                "options": {"job_id": job_id, "max_retries": 1 if name == "fail" else 5},
            }
            for job_id, (name, args, kwargs) in jobs.items()
        ]
        vectors.write_text(json.dumps({"cases": cases}))
        done(self._producer, self._folder, RRQ_VECTORS=str(vectors), RRQ_REDIS_DSN=self._dsn)

    @staticmethod
    def _eventually(condition: Callable[[], bool], limit_seconds: float = 30) -> None:
        end = time.monotonic() + limit_seconds
        while not condition():
            assert time.monotonic() < end, "it did not come about"
            time.sleep(0.01)
