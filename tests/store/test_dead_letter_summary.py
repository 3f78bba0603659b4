"""What fits a filter, and what dead letters have in common: without Redis."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rrq.store.dead_letter import DeadLetter, Wanted
from rrq.store.dead_letter_summary import Summary, error_pattern
from rrq.store.keys import Keys

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

LETTER = DeadLetter(
    "a",
    function_name="python#send_email",
    queue="mail",
    error="ValueError: no such Address",
    failed_at=NOON,
    failed_attempts=3,
)


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(),
        Wanted(job_id="a"),
        Wanted(queue="mail"),
        Wanted(function="send_email"),
        Wanted(function="python#send_email"),
        Wanted(error="no such address"),
        Wanted(since=NOON, until=NOON),
        Wanted(queue="mail", error="value", since=NOON - timedelta(hours=1)),
    ],
)
def test_a_letter_that_has_all_that_is_set_fits(wanted: Wanted) -> None:
    assert wanted.fits(LETTER)


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(job_id="b"),
        Wanted(queue="mai"),
        Wanted(function="email"),
        Wanted(function="python"),
        Wanted(error="timeout"),
        Wanted(since=NOON + timedelta(microseconds=1)),
        Wanted(until=NOON - timedelta(microseconds=1)),
        Wanted(queue="mail", error="timeout"),
    ],
)
def test_a_letter_that_lacks_anything_of_what_is_set_does_not_fit(wanted: Wanted) -> None:
    assert not wanted.fits(LETTER)


def test_a_letter_whose_time_is_not_known_fits_no_range() -> None:
    letter = DeadLetter.read("a", [b"f", None, None, b"yesterday", b"many"], Keys())

    assert (letter.failed_at, letter.failed_attempts, letter.death) == (None, None, "yesterday")
    assert Wanted(function="f").fits(letter)
    assert not Wanted(until=NOON).fits(letter)


@pytest.mark.parametrize(
    ("error", "pattern"),
    [
        ("Job timed out after 300s.", "Job timed out after <number>s."),
        ("no user 42 in 7.5 s\nTraceback", "no user <number> in <number> s"),
        ("order 4e292131-ebce-4307-9b58-0f5e49c0bbf8 is gone", "order <id> is gone"),
        ("object at 0x7f3b2c1d", "object at <address>"),
        ("refused by 10.0.0.12:6379, not by [::1]:80", "refused by <address>, not by <address>"),
        ("GET https://example.org/a?b=1: 503", "GET <address> <number>"),
        ("no mailbox for ada+1@example.org.", "no mailbox for <address>."),
        ("commit 9df1cf2aa0 is none", "commit <id> is none"),
        ("key sk_live_51Habcdefghijklmnop is unknown", "key <id> is unknown"),
        ("a plain sentence about internationalization", None),
        ("decade facade defaced", None),
        ("", "(not set)"),
    ],
)
def test_ids_numbers_and_addresses_are_no_part_of_an_errors_pattern(
    error: str, pattern: str | None
) -> None:
    assert error_pattern(error) == (error if pattern is None else pattern)


def test_the_pattern_of_a_hostile_error_is_found_quickly() -> None:
    began = datetime.now(UTC)
    for text in ("a" * 8192, "a-" * 4096, "a@" * 4096, "1." * 4096, "[:" * 4096, "f" * 8192):
        error_pattern(text)
    assert datetime.now(UTC) - began < timedelta(seconds=1)


def test_letters_are_summed_up_with_an_example_of_each_kind_of_error() -> None:
    summary = Summary()
    summary.add(
        [
            LETTER,
            DeadLetter("b", False, "f", "mail", "no user 1\nand more", NOON, 1),
            DeadLetter("c", is_expired=True),
        ]
    )
    summary.add([DeadLetter("d", False, "f", None, "no user 2", NOON - timedelta(hours=1), 2)])

    assert (summary.total, summary.expired, summary.average_failed_attempts) == (4, 1, 2.0)
    assert (summary.oldest, summary.newest) == (NOON - timedelta(hours=1), NOON)
    assert summary.functions == {"f": 2, "python#send_email": 1}
    assert summary.queues == {"mail": 2, "(not set)": 1}
    assert summary.errors == {"no user <number>": 2, "ValueError: no such Address": 1}
    assert summary.examples["no user <number>"] == ("b", "no user 1")


def test_an_empty_summary_knows_no_times_and_no_average() -> None:
    assert (Summary().oldest, Summary().average_failed_attempts) == (None, None)
