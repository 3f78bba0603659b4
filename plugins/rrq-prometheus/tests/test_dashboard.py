"""The dashboard and the README, held to what a worker that has run jobs tells Prometheus."""

from __future__ import annotations

import json
import pickle
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rrq.embedded import EmbeddedRedis
from rrq.settings import RRQSettings
from rrq.sync_client import SyncRRQClient
from tests.support.distributions import rrq_command
from tests.support.once import once
from tests.support.places import Place
from tests.support.waiting import eventually_blocking

from .scraping import address_of, configure, samples

PLUGIN = Path(__file__).parents[1]

OF_PROMETHEUS = {"instance", "job"}
"""The labels that Prometheus itself adds to what it scrapes."""


@pytest.fixture(scope="module")
def labels(
    rrq_redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, set[str]]:
    """What was scraped of a worker that has run a job: the labels by the name of the metric."""

    def scrape(directory: Path) -> None:
        rrq_redis_server.flush()
        told = scraped(rrq_redis_server.dsn, tmp_path_factory.mktemp("worker"))
        (directory / "labels").write_bytes(pickle.dumps(told))

    found = once(tmp_path_factory, "scraped_worker", scrape) / "labels"
    told: dict[str, set[str]] = pickle.loads(found.read_bytes())
    return told


def scraped(dsn: str, folder: Path) -> dict[str, set[str]]:
    """The labels by metric of a worker of its own, after its first job."""
    told: dict[str, set[str]] = {}
    for place in Place(folder, rrq_command().parent).lend():
        configure(place, dsn, "port = 0")
        worker = place.start("rrq", "worker", "run")
        with SyncRRQClient(RRQSettings(redis_dsn=dsn)) as client:
            client.wait(client.enqueue("buy"), timeout=20)
        told = eventually_blocking(partial(told_by, address_of(worker)), 20, "a measurement")
        worker.stop()
    return told


def told_by(address: str) -> dict[str, set[str]]:
    """The labels of each metric; nothing before all that comes with the first job is there."""
    told = {sample.name: set(sample.labels) for sample in samples(address)}
    return told if {"rrq_attempts_total", "rrq_worker_jobs_total"} <= told.keys() else {}


def expressions() -> list[str]:
    """All that the dashboard asks Prometheus."""
    board = json.loads((PLUGIN / "grafana" / "rrq.json").read_text())
    targets = [target for panel in board["panels"] for target in panel.get("targets", [])]
    variables: list[dict[str, Any]] = board["templating"]["list"]
    asked = [one["definition"] for one in variables if one["type"] == "query"]
    return [target["expr"] + shown(target["legendFormat"]) for target in targets] + asked


def shown(legend: str) -> str:
    """The labels that a legend shows, as an expression would name them."""
    return f" by ({', '.join(re.findall(r'{{(.+?)}}', legend))})"


@pytest.mark.parametrize("expression", expressions())
def test_what_the_dashboard_asks_for_is_what_a_worker_tells(
    labels: dict[str, set[str]], expression: str
) -> None:
    metrics = re.findall(r"\brrq_\w+", expression)
    grouped = re.findall(r"by \((.*?)\)", expression) + re.findall(
        r"label_values\(\w+, (\w+)\)", expression
    )
    used = {name for group in grouped for name in re.split(r"[, ]+", group) if name}
    used |= set(re.findall(r"(\w+)=~?\"", expression))

    assert metrics
    for metric in metrics:
        assert metric in labels
        assert used - OF_PROMETHEUS <= labels[metric]


def test_the_metrics_of_the_readme_are_those_that_a_worker_tells(
    labels: dict[str, set[str]],
) -> None:
    table = (PLUGIN / "README.md").read_text().split("\n## Metrics\n")[1].split("\n## ")[0]
    told = {
        name: set(re.findall(r"`(\w+)`", of_row))
        for names, of_row in re.findall(r"^\| (`rrq_.+?) \| (.*?) \|", table, re.M)
        for name in re.findall(r"`(rrq_\w+)`", names)
    }
    found = {
        re.sub(r"_(bucket|count|sum)$", "", name): of_metric - {"le"}
        for name, of_metric in labels.items()
        if not name.endswith("_created")
    }

    assert told == found
