"""`reference/go`: an executor and a producer in Go keep to the protocol and to the schema."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support.documents import Document

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


def test_the_programs_in_its_readme_compile(tmp_path: Path) -> None:
    # The last line, which is about spans, is in the mixed example.
    executor, producer, _ = (
        one.text for one in Document(GO / "README.md").blocks() if one.language == "go"
    )
    (tmp_path / "executor.go").write_text(
        f'package main\nimport ("context"; "log"; "rrq/executor")\n{executor}'
    )
    (tmp_path / "producer.go").write_text(
        'package main\nimport ("context"; "time"; "github.com/redis/go-redis/v9"; "rrq/producer")\n'
        "func enqueue(ctx context.Context, client *redis.Client) (string, error) {\n"
        f"{producer}\nreturn id, err\n}}\n"
    )
    files = {str(GO / "readme" / one.name): str(one) for one in tmp_path.glob("*.go")}
    overlay = tmp_path / "overlay.json"
    overlay.write_text(json.dumps({"Replace": files}))

    done(["go", "build", f"-overlay={overlay}", "-o", os.devnull, "./readme"], GO)


def test_its_executor_holds_every_point_of_the_check(tmp_path: Path) -> None:
    assert absent("executor", EXECUTOR, tmp_path) == []


def test_its_producer_holds_every_point_of_the_check(tmp_path: Path) -> None:
    assert absent("producer", PRODUCER, tmp_path) == []


def test_jobs_travel_from_its_producer_through_a_worker_to_its_executor(
    redis_dsn: str, tmp_path: Path
) -> None:
    Journey(redis_dsn, tmp_path, EXECUTOR, PRODUCER).travel()
