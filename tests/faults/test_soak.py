"""Half a minute of everything at once: `pytest -m soak tests/faults`; `make faults` for more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.soak import soak


@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_no_job_is_lost_or_settled_twice_whatever_happens_for_half_a_minute(
    seed: int, tmp_path: Path
) -> None:
    account = await soak(0.5, seed, tmp_path)

    assert account.broken is None
    assert account.jobs_in > 300
    assert account.faults.total() > 5
    assert (account.lost, account.settled_twice) == (0, 0)
    assert account.states.total() == account.jobs_in
