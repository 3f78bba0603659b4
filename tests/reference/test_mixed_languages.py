"""`examples/mixed-languages`: four languages in one file, reached by prefix and by queue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.places import Place

from .mixed_languages import (
    EXAMPLE,
    LANGUAGES,
    build,
    place_of,
    printed_in_readme,
    shell_lines,
    worker_command,
)
from .support import done

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def mixed(tmp_path: Path) -> Iterator[Place]:
    """The example's folder."""
    yield from place_of(tmp_path)


def test_every_language_answers_by_its_prefix_and_by_its_queue(
    mixed: Place, redis_dsn: str
) -> None:
    variables = {"RRQ_REDIS_DSN": redis_dsn}
    worker = mixed.start(*worker_command(), **variables)

    produced = mixed.run("python", "producer.py", **variables)

    assert produced.stdout == printed_in_readme()
    assert [line.split()[-1] for line in produced.stdout.splitlines()[:-1]] == [
        *LANGUAGES,
        *LANGUAGES[1:],
        "Python",
    ]
    assert worker.stop().code == 0


def test_an_answer_that_is_not_as_it_must_be_is_told(mixed: Place, redis_dsn: str) -> None:
    variables = {"RRQ_REDIS_DSN": redis_dsn}
    (mixed.directory / "rrq.toml").unlink()
    routed_wrongly = (EXAMPLE / "rrq.toml").read_text().replace('for-go = "go"', 'for-go = "rust"')
    mixed.write("rrq.toml", routed_wrongly)
    worker = mixed.start(*worker_command(), **variables)

    produced = mixed.run("python", "producer.py", "--count", "1", code=1, **variables)

    assert "'language': 'Rust'}, not {'greeting': 'Hello Zoë 0', 'language': 'Go'}" in (
        produced.stdout
    )
    assert produced.stdout.splitlines()[-1] == "16 jobs, 1 not as they must be"
    assert worker.stop().code == 0


def test_the_readme_says_what_these_tests_run() -> None:
    lines = shell_lines()

    assert "./build.sh" in lines
    assert "python producer.py" in lines
    assert (EXAMPLE / "build.sh").stat().st_mode & 0o111


def test_the_program_in_go_is_formatted_and_vetted() -> None:
    build()

    assert done(["gofmt", "-l", "."], EXAMPLE / "go") == ""
    done(["go", "vet", "./..."], EXAMPLE / "go")
