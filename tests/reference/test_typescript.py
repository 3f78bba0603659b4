"""`reference/typescript`: an executor and a producer in TypeScript keep to the same pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.documents import Document

from .support import REFERENCE, Journey, absent, done, need

need("node", "npm")

TYPESCRIPT = REFERENCE / "typescript"
EXAMPLES = TYPESCRIPT / "dist" / "examples"
EXECUTOR = ["node", str(EXAMPLES / "check-executor.js")]
PRODUCER = ["node", str(EXAMPLES / "enqueue-vectors.js")]


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    """The package, compiled once; strictly, so that a wrong type fails here."""
    locked = TYPESCRIPT / "package-lock.json"
    installed = TYPESCRIPT / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < locked.stat().st_mtime:
        done(["npm", "ci", "--no-audit", "--no-fund"], TYPESCRIPT)
    done(["npm", "run", "build"], TYPESCRIPT)


def test_its_own_tests_pass(redis_dsn: str) -> None:
    said = done(["npm", "test"], TYPESCRIPT, RRQ_REDIS_DSN=redis_dsn)
    assert said.count("values: ") > 60
    # Node counts neither a suite that is skipped nor one that breaks while it is set up.
    assert "ok 1 - a job is written with every option" in said


def test_the_programs_in_its_readme_compile(tmp_path: Path) -> None:
    (tmp_path / "node_modules").mkdir()
    for package in [TYPESCRIPT, *(TYPESCRIPT / "node_modules").iterdir()]:
        name = "rrq" if package == TYPESCRIPT else package.name
        (tmp_path / "node_modules" / name).symlink_to(package)
    blocks = [one for one in Document(TYPESCRIPT / "README.md").blocks() if one.language == "ts"]
    for number, block in enumerate(blocks):
        (tmp_path / f"block{number}.ts").write_text(block.text)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    options: dict[str, Any] = {"extends": str(TYPESCRIPT / "tsconfig.json"), "include": ["*.ts"]}
    options["compilerOptions"] = {
        **{"noEmit": True, "preserveSymlinks": True, "incremental": False},
        **{"rootDir": None, "tsBuildInfoFile": None},
        **{"noUnusedLocals": False, "noUnusedParameters": False},
    }
    (tmp_path / "tsconfig.json").write_text(json.dumps(options))

    assert len(blocks) >= 2
    done([str(TYPESCRIPT / "node_modules" / ".bin" / "tsc"), "-p", "."], tmp_path)


def test_its_executor_holds_every_point_of_the_check(tmp_path: Path) -> None:
    assert absent("executor", EXECUTOR, tmp_path) == []


def test_its_producer_holds_every_point_of_the_check(tmp_path: Path) -> None:
    assert absent("producer", PRODUCER, tmp_path) == []


def test_jobs_travel_from_its_producer_through_a_worker_to_its_executor(
    redis_dsn: str, tmp_path: Path
) -> None:
    Journey(redis_dsn, tmp_path, EXECUTOR, PRODUCER).travel()
