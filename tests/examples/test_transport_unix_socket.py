"""A transport that is somebody else's: it keeps the contract, and a worker runs jobs with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from rrq import SyncRRQClient
from rrq.settings import RRQSettings
from tests.support.places import Place
from tests.support.waiting import eventually_blocking


def test_the_transport_keeps_the_contract(passes_its_own_tests: Callable[[str], None]) -> None:
    passes_its_own_tests("transport-unix-socket")


def test_a_worker_runs_jobs_on_an_executor_that_it_did_not_start(
    example: Callable[[str], Place], installed: Path, redis_dsn: str
) -> None:
    place = example("transport-unix-socket")
    address = f"unix:{place.temporary / 'shop.sock'}"
    configuration = (place.directory / "rrq.toml").read_text()
    place.write("rrq.toml", configuration.replace("unix:/tmp/shop.sock", address))
    variables = {"RRQ_REDIS_DSN": redis_dsn, "PYTHONPATH": str(installed)}

    def check(code: int) -> dict[str, str]:
        told = json.loads(place.run("rrq", "check", "--json", code=code, **variables).stdout)
        return next(one for one in told["checks"] if one["check"] == "executor shop")

    before = check(1)
    assert (before["state"], "does not answer" in before["message"]) == ("failed", True)

    executor = place.start("python", "executor_server.py", address)
    executor.said("serving on")
    worker = place.start("rrq", "worker", "run", **variables)
    worker.said("Worker rrq_worker_")
    with SyncRRQClient(RRQSettings(redis_dsn=redis_dsn)) as client:
        path = place.write("speech.txt", "to be or not to be")
        assert client.wait(client.enqueue("count_words", str(path)), timeout=20) == 6

        executor.process.kill()
        executor.wait()
        again = place.start("python", "executor_server.py", address)
        again.said("serving on")
        assert client.wait(client.enqueue("echo", "again"), timeout=20)["args"] == ["again"]

    after = check(0)
    assert (after["state"], after["message"]) == ("ok", f"Connected to {address}.")
    assert worker.stop().code == 0
    eventually_blocking(lambda: again.process.poll() is None, 1, "the executor, which stays")
    again.process.kill()
    again.wait()
