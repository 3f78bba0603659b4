"""`reference/go`: an executor and a producer in Go keep to the protocol and to the schema."""

from __future__ import annotations

from pathlib import Path

import pytest

from .support import REFERENCE, Journey, absent, done, need

need("go", "gofmt")

GO = REFERENCE / "go"
EXECUTOR = [str(GO / "bin" / "executor")]
PRODUCER = [str(GO / "bin" / "enqueue_vectors")]


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    """The example programs, built once."""
    done(["go", "build", "-p", "1", "-o", "bin/", "./examples/..."], GO)


def test_it_is_formatted_and_vetted_and_its_own_tests_pass(redis_dsn: str) -> None:
    assert done(["gofmt", "-l", "."], GO) == ""
    done(["go", "vet", "./..."], GO)
    said = done(["go", "test", "-p", "1", "-v", "./..."], GO, RRQ_REDIS_DSN=redis_dsn)
    assert "--- SKIP" not in said
    assert said.count("--- PASS") > 200


def test_its_spans_have_the_producers_trace_as_parent() -> None:
    done(["go", "vet", "./..."], GO / "oteltracer")
    done(["go", "test", "-p", "1", "./..."], GO / "oteltracer")


def test_its_executor_holds_every_point_of_the_check(tmp_path: Path) -> None:
    assert absent("executor", EXECUTOR, tmp_path) == []


def test_its_producer_holds_every_point_of_the_check(tmp_path: Path) -> None:
    assert absent("producer", PRODUCER, tmp_path) == []


def test_jobs_travel_from_its_producer_through_a_worker_to_its_executor(
    redis_dsn: str, tmp_path: Path
) -> None:
    Journey(redis_dsn, tmp_path, EXECUTOR, PRODUCER).travel()
