"""The FastAPI application, with its lifespan, against a real server and a real worker."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.places import Place

pytestmark = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("fastapi", "httpx"))),
    reason="FastAPI, or httpx, which its test client needs, is not installed",
)


def test_an_order_is_accepted_and_its_receipt_sent(
    example: Callable[[str], Place], redis_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fastapi.testclient import TestClient

    place = example("fastapi")
    variables = {"RRQ_REDIS_DSN": redis_dsn}
    monkeypatch.chdir(place.directory)
    monkeypatch.setenv("RRQ_REDIS_DSN", redis_dsn)

    with TestClient(application(place)) as site:
        accepted = site.post("/orders/42")
        assert accepted.status_code == 202
        assert site.post("/orders/42").status_code == 409
        assert site.get("/jobs/x").status_code == 404

        place.run("rrq", "worker", "run", "--burst", **variables)

        shown = site.get(f"/jobs/{accepted.json()['job']}").json()
        assert shown == {"status": "COMPLETED", "result": "receipt for 42"}


def application(place: Place) -> Any:
    """The application in the copy of the example."""
    spec = importlib.util.spec_from_file_location("fastapi_example", place.directory / "app.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.app
