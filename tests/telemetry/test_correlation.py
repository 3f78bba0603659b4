"""Named arguments of jobs as attributes: bounded, scalars only, and never unasked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from msgspec import Raw
from pydantic import ValidationError

from rrq.store.codec import encode_arguments
from rrq.telemetry.correlation import CorrelatedConfig, Correlation


class Tier(Enum):
    GOLD = "gold"


@dataclass
class Order:
    id: int
    lines: list[str]


ARGS: tuple[Any, ...] = (Order(7, ["tea", "milk"]), {"country": "NO"})
KWARGS: dict[str, Any] = {
    "tenant": "acme",
    "amount": 12.5,
    "is_paid": True,
    "key": UUID(int=5),
    "day": datetime(2026, 1, 2, tzinfo=UTC),
    "tier": Tier.GOLD,
    "nothing": None,
    "some": {"deep": {"list": [1, [2, 3]]}},
    "long": "x" * 1000,
    "huge": 2**64,
}
PATHS = {
    "tenant": "kwargs.tenant",
    "amount": "kwargs.amount",
    "is_paid": "kwargs.is_paid",
    "key": "kwargs.key",
    "day": "kwargs.day",
    "tier": "kwargs.tier",
    "nothing": "kwargs.nothing",
    "missing": "kwargs.missing",
    "object": "kwargs.some",
    "item": "kwargs.some.deep.list.1.0",
    "order": "args.0.id",
    "line": "args.0.lines.1",
    "country": "args.1.country",
    "beyond": "args.2",
    "letter": "kwargs.tenant.0",
}
FOUND = {
    "tenant": "acme",
    "amount": 12.5,
    "is_paid": True,
    "key": "00000000-0000-0000-0000-000000000005",
    "day": "2026-01-02T00:00:00Z",
    "tier": "gold",
    "item": 2,
    "order": 7,
    "line": "milk",
    "country": "NO",
}


def test_a_producer_and_a_worker_find_the_same_values() -> None:
    correlation = Correlation(PATHS)
    args, kwargs = encode_arguments("work", ARGS, KWARGS)
    assert correlation.values(ARGS, KWARGS) == FOUND
    assert correlation.values(Raw(args), Raw(kwargs)) == FOUND


def test_values_are_bounded() -> None:
    found = Correlation({"long": "kwargs.long"}).values(ARGS, KWARGS)
    assert found == {"long": "x" * 256}


def test_an_integer_that_no_backend_can_store_becomes_text() -> None:
    found = Correlation({"huge": "kwargs.huge"}).values(ARGS, KWARGS)
    assert found == {"huge": str(2**64)}


def test_nothing_is_copied_unless_the_configuration_says_so() -> None:
    assert CorrelatedConfig().correlation() is None


@pytest.mark.parametrize(
    ("attributes", "complaint"),
    [
        ({"tenant": "tenant_id"}, "names no argument"),
        ({"tenant": "kwargs"}, "names no argument"),
        ({"tenant": "args.first"}, "names no argument"),
        ({"tenant": "kwargs.a..b"}, "names no argument"),
        ({"ten ant": "kwargs.a"}, "cannot be the name"),
        ({f"a{number}": "args.0" for number in range(17)}, "the most are 16"),
    ],
)
def test_a_mistake_in_the_setting_is_told(attributes: dict[str, str], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        CorrelatedConfig(attributes=attributes)
