"""The executor of docs/reference/protocol.md, a few lines without any library, runs jobs."""

from __future__ import annotations

import pytest

from tests.support.documents import CHECKOUT, Document
from tests.support.places import Place
from tests.support.ports import free_port

PROTOCOL = Document(CHECKOUT / "docs" / "reference" / "protocol.md")

# The first of the journeys waits for the installation.
pytestmark = pytest.mark.timeout(300)

PRODUCER = """
    from rrq import SyncRRQClient
    from rrq.config import load_toml_settings

    with SyncRRQClient(load_toml_settings("echo.toml")) as client:
        for word in ("one", "two"):
            print(client.wait(client.enqueue("shout", word, 3), timeout=20))
"""


def test_the_shortest_executor_of_the_protocol_page_runs_jobs(project: Place) -> None:
    files = PROTOCOL.files()
    assert set(files) == {"echo_executor.py", "echo.toml"}
    for name, text in files.items():
        project.write(name, text)
    producer = project.write("produce.py", PRODUCER)
    address = {"RRQ_REDIS_DSN": f"redis://localhost:{free_port()}/0"}
    command = ("rrq", "worker", "run", "--config", "echo.toml", "--embedded-redis")
    worker = project.start(*command, **address)
    worker.said("Worker rrq_worker_")

    produced = project.run("python", producer, **address)

    assert produced.stdout == "['one', 3]\n['two', 3]\n"
    assert worker.stop().code == 0
