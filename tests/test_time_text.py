"""Times for executors are those that `datetime` would write."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rrq.time_text import rfc3339


@pytest.mark.parametrize("seconds", [0.0, 1.5, 1_700_000_000.123456, 1_700_000_000.999_999_4, 2e10])
def test_a_time_is_written_to_the_microsecond(seconds: float) -> None:
    text = rfc3339(seconds)
    assert text.endswith("+00:00")
    difference = datetime.fromisoformat(text) - datetime.fromtimestamp(seconds, UTC)
    assert abs(difference) <= timedelta(microseconds=1)


def test_a_time_that_cannot_be_told_is_the_last_one_that_can() -> None:
    assert rfc3339(2.0**53) == "9999-12-31T23:59:59.000000+00:00"
