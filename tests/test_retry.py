from hypothesis import given
from hypothesis import strategies as st

from rrq.retry import RetryPolicy


@given(
    attempt=st.integers(1, 10_000),
    more=st.integers(1, 10),
    base=st.floats(0.01, 100),
    cap=st.floats(0.01, 10_000),
    jitter=st.floats(0, 1),
    drawn=st.floats(0, 0.999),
)
def test_a_backoff_is_never_negative_nor_above_the_cap(
    attempt: int, more: int, base: float, cap: float, jitter: float, drawn: float
) -> None:
    policy = RetryPolicy(base_delay_seconds=base, max_delay_seconds=cap, jitter=jitter)
    delay = policy.next_delay_seconds(attempt, attempt + more, random=drawn)
    assert delay is not None
    assert 0 <= delay <= cap


def test_there_is_no_attempt_after_the_last() -> None:
    policy = RetryPolicy()
    assert policy.next_delay_seconds(1, 1) is None
    assert policy.next_delay_seconds(5, 3, asked_seconds=1) is None
