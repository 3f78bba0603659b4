"""The examples in Python: each does what its README says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from rrq import SyncRRQClient
from rrq.settings import RRQSettings
from tests.support.places import Place

Example = Callable[[str], Place]


def test_the_producer_gets_the_results_of_the_consumer(example: Example, redis_dsn: str) -> None:
    place = example("producer-consumer")
    variables = {"RRQ_REDIS_DSN": redis_dsn}
    queues = ("--queue", "default", "--queue", "reports")
    worker = place.start("rrq", "worker", "run", *queues, **variables)

    produced = place.run("python", "producer.py", **variables)

    assert produced.stdout.splitlines() == [
        "Welcome for ann@example.org",
        "Welcome for bob@example.org",
        "6",
    ]
    assert worker.stop().code == 0


def test_the_scheduled_job_is_listed_and_runs_at_once_when_asked(
    example: Example, redis_dsn: str
) -> None:
    place = example("cron")
    variables = {"RRQ_REDIS_DSN": redis_dsn}

    (listed,) = json.loads(place.run("rrq", "cron", "list", "--json", **variables).stdout)
    assert (listed["name"], listed["function"]) == ("weekly report", "send_report")

    place.run("rrq", "cron", "run", "weekly report", **variables)
    place.run("rrq", "worker", "run", "--burst", **variables)
    (ran,) = json.loads(place.run("rrq", "job", "list", "--json", **variables).stdout)
    with SyncRRQClient(RRQSettings(redis_dsn=redis_dsn)) as client:
        job = client.get_job(ran["id"])
    assert job is not None
    assert job.result == "7 days for board@example.org"


def test_a_unique_key_lets_one_job_run_and_a_debounced_one_has_the_last_text(
    example: Example, redis_dsn: str
) -> None:
    place = example("unique-and-debounce")
    variables = {"RRQ_REDIS_DSN": redis_dsn}
    worker = place.start("rrq", "worker", "run", **variables)

    produced = place.run("python", "producer.py", **variables)

    assert produced.stdout.splitlines() == [
        "second: None",
        "third: refused",
        "ann is in step",
        "saved: To be",
    ]
    assert worker.stop().code == 0


def test_a_site_without_an_event_loop_enqueues_and_tells_the_status(
    example: Example, redis_dsn: str
) -> None:
    place = example("sync-client")
    variables = {"RRQ_REDIS_DSN": redis_dsn}
    asking = place.write("ask.py", ASKING)

    def ask(*lines: str) -> list[str]:
        return place.run("python", asking, *lines, **variables).stdout.splitlines()

    accepted, again, nowhere = ask("POST /orders/42", "POST /orders/42", "GET /orders")
    found = re.fullmatch(r"202 Accepted (\S+)", accepted)
    assert found
    assert again == "409 Conflict is being sent"
    assert nowhere == "404 Not Found no such page"

    place.run("rrq", "worker", "run", "--burst", **variables)

    assert ask(f"GET /jobs/{found[1]}", "GET /jobs/x") == [
        "200 OK COMPLETED",
        "404 Not Found no such job",
    ]


def test_the_measurement_prints_its_rates(example: Example, redis_dsn: str) -> None:
    place = example("performance")
    variables = {"RRQ_REDIS_DSN": redis_dsn}
    worker = place.start("rrq", "worker", "run", **variables)

    measured = place.run("python", "measure.py", "--count", "300", **variables)

    for line, name in zip(measured.stdout.splitlines(), ("enqueued", "done"), strict=True):
        assert re.match(rf"{name} +[\d,]+ jobs/s", line)
    assert worker.stop().code == 0


ASKING = '''
"""Call the WSGI application as a server does, once for each argument."""

import sys
from io import BytesIO
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

from site_wsgi import application

for line in sys.argv[1:]:
    method, path = line.split()
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "SCRIPT_NAME": ""}
    environ["wsgi.input"] = BytesIO()
    setup_testing_defaults(environ)
    statuses = []
    body = validator(application)(environ, lambda status, headers: statuses.append(status))
    print(statuses[0], b"".join(body).decode().strip())
    body.close()
'''
