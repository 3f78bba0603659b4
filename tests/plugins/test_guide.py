"""The guide for plugin authors, done as it says: its files are built, installed and run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.distributions import Site

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guide" / "plugins.md"


def guide_file(name: str) -> str:
    """The block of the guide whose first line is a comment with this file's name."""
    found = re.search(rf"```\w+\n# {re.escape(name)}\n(.*?)```", GUIDE.read_text(), re.S)
    assert found, f"the guide has no block for {name}"
    return found[1]


def uv() -> str:
    """The program uv, wherever this checkout has it."""
    program = os.environ.get("UV") or shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")
    assert Path(program).exists(), "uv is needed: run `make sync`"
    return program


@pytest.fixture
def payments(site: Site, tmp_path: Path) -> Site:
    """A site with the guide's first plugin, built and installed from its files."""
    project = tmp_path / "payments"
    project.mkdir()
    for name in ("rrq_payments.py", "pyproject.toml"):
        (project / name).write_text(guide_file(name))
    command = [uv(), "pip", "install", "--quiet", "--no-deps", "--python", sys.executable]
    ran = subprocess.run(
        [*command, "--target", str(site.path), str(project)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return site


def test_the_plugin_of_the_guide_is_built_installed_and_listed_as_it_says(payments: Site) -> None:
    listed = payments.rrq("plugins", "list").stdout
    promised = re.search(r"^payments +1\.0 .*$", GUIDE.read_text(), re.M)

    row = next(line for line in listed.splitlines() if line.startswith("payments\t"))

    assert promised
    assert row.split("\t") == promised[0].split()


def test_the_plugin_of_the_guide_routes_payments(payments: Site) -> None:
    told = payments.python(
        """
        from rrq.hookspecs import RoutableJob
        from rrq.plugins import load_plugins

        plugins = load_plugins()
        for function in ("pay_rent", "send_mail"):
            job = RoutableJob(job_id="1", function_name=function, queue_name="default",
                              attempt=1, args=b"[]", kwargs=b"{}")
            print(plugins.route(job, ("python", "payments")))
        """
    )

    assert told.splitlines() == ["payments", "None"]


def test_the_configured_plugin_of_the_guide_reads_its_table(site: Site) -> None:
    site.install("rrq-paging", guide_file("rrq_paging/__init__.py"))
    (site.path / "rrq_paging.py").unlink()
    (site.path / "rrq_paging").mkdir()
    for name in ("rrq_paging/__init__.py", "rrq_paging/config.py"):
        (site.path / name).write_text(guide_file(name))
    (site.work / "rrq.toml").write_text(guide_file("rrq.toml"))

    told = site.python(
        """
        import asyncio, sys
        from rrq.config import load_toml_settings
        from rrq.hookspecs import WorkerView
        from rrq.plugins import load_plugins

        plugins = load_plugins()
        print("pydantic" in sys.modules)
        view = WorkerView(worker_id="w1", queues=(), executors=(), settings=load_toml_settings())
        sys.stderr = sys.stdout
        asyncio.run(plugins.worker_stopping(view))
        """
    )

    assert told.splitlines()[-1] == "CRITICAL:root:payments: worker w1 stops"
    keys = {key["name"]: key["value"] for key in site.plugin("paging")["keys"]}
    assert keys == {"team": "payments", "token": None}


def test_the_command_of_the_guide_runs(site: Site) -> None:
    site.install("rrq-retries", guide_file("rrq_retries.py"))

    ran = site.rrq("payments", "retry", "2026-01-31")

    assert ran.returncode == 0
    assert ran.stdout == "Nothing to retry on 2026-01-31.\n"


def test_the_hooks_of_the_guide_are_the_hooks_there_are() -> None:
    from rrq.plugins.hooks import HOOKS

    assert re.findall(r"^\| `(rrq_\w+)\(", GUIDE.read_text(), re.M) == list(HOOKS)


def test_the_failing_plugin_of_the_guide_is_told_of_as_it_says(site: Site) -> None:
    site.install("rrq-paging", "import pager", version="2.0")

    ran = site.rrq("plugins", "list")

    warning = next(line for line in ran.stderr.splitlines() if "paging" in line)
    row = next(line for line in ran.stdout.splitlines() if line.startswith("paging\t"))
    assert warning in GUIDE.read_text()
    assert row.split("\t")[-1] in GUIDE.read_text()
    assert json.dumps(row.split("\t")[:3]) == '["paging", "2.0", "rrq-paging"]'
