from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from rrq.schedule import Schedule

BERLIN = "Europe/Berlin"


def slots(expression: str, zone: str, start: datetime, count: int) -> list[str]:
    schedule = Schedule(expression, zone)
    moments = []
    for _ in range(count):
        start = schedule.next_after(start)
        moments.append(start.astimezone(ZoneInfo(zone)).strftime("%d. %H:%M%z"))
    return moments


def test_a_daily_slot_in_the_gap_of_spring_is_taken_at_its_end() -> None:
    start = datetime(2026, 3, 27, 23, tzinfo=UTC)
    assert slots("30 2 * * *", BERLIN, start, 3) == [
        "28. 02:30+0100",
        "29. 03:00+0200",
        "30. 02:30+0200",
    ]


def test_a_daily_slot_in_the_doubled_hour_of_autumn_comes_once() -> None:
    start = datetime(2026, 10, 23, 23, tzinfo=UTC)
    assert slots("30 2 * * *", BERLIN, start, 3) == [
        "24. 02:30+0200",
        "25. 02:30+0200",
        "26. 02:30+0100",
    ]


def test_an_hourly_schedule_follows_real_time_through_the_doubled_hour() -> None:
    start = datetime(2026, 10, 24, 23, 30, tzinfo=UTC)
    assert slots("0 * * * *", BERLIN, start, 4) == [
        "25. 02:00+0200",
        "25. 02:00+0100",
        "25. 03:00+0100",
        "25. 04:00+0100",
    ]


def test_the_last_slot_does_not_count_the_second_time_around() -> None:
    moment = datetime(2026, 10, 25, 1, 45, tzinfo=UTC)  # 02:45 for the second time
    assert Schedule("30 2 * * *", BERLIN).last_until(moment) == datetime(
        2026, 10, 25, 0, 30, tzinfo=UTC
    )


def test_a_slot_counts_as_reached_at_its_very_second() -> None:
    slot = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
    schedule = Schedule("0 12 * * *", "UTC")
    assert schedule.last_until(slot) == slot
    assert schedule.last_until(slot + timedelta(milliseconds=1)) == slot
    assert schedule.last_until(slot - timedelta(milliseconds=1)) == slot - timedelta(days=1)
    assert schedule.next_after(slot) == slot + timedelta(days=1)


def test_day_of_month_and_day_of_week_both_restricted_means_either() -> None:
    start = datetime(2026, 1, 10, tzinfo=UTC)
    assert slots("0 0 13 * 5", "UTC", start, 2) == ["13. 00:00+0000", "16. 00:00+0000"]


@pytest.mark.parametrize("sunday", ["0", "7", "sun"])
def test_sunday_has_three_names(sunday: str) -> None:
    assert slots(f"0 0 * * {sunday}", "UTC", datetime(2026, 1, 1, tzinfo=UTC), 1) == [
        "04. 00:00+0000"
    ]


@pytest.mark.parametrize(
    ("expression", "zone", "reason"),
    [
        ("* * * *", "UTC", "has 4 fields; it needs 5"),
        ("* * * * * *", "UTC", "has 6 fields; it needs 5"),
        ("@daily", "UTC", "has 1 fields; it needs 5"),
        ("61 * * * *", "UTC", "cannot be used"),
        ("x * * * *", "UTC", "cannot be used"),
        ("0 0 31 2 *", "UTC", "never comes"),
        ("* * * * *", "Mars/Olympus", "no time zone 'Mars/Olympus'"),
        ("* * * * *", "../etc", "no time zone"),
    ],
)
def test_a_schedule_that_cannot_be_used_says_why(expression: str, zone: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Schedule(expression, zone)
