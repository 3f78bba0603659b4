import pytest

from rrq.cron import cron_entries
from rrq.exc import ConfigError
from rrq.settings import CronJob, RRQSettings


def settings_with(*jobs: CronJob, timezone: str | None = None) -> RRQSettings:
    return RRQSettings(cron_jobs=list(jobs), timezone=timezone)


def job(**fields: object) -> CronJob:
    return CronJob(**{"function_name": "report", "schedule": "0 0 * * *", **fields})  # type: ignore[arg-type]


def test_a_cron_job_is_named_after_its_function_unless_it_says_otherwise() -> None:
    entries = cron_entries(settings_with(job(), job(function_name="clean", name="cleanup")))
    assert [entry.name for entry in entries] == ["report", "cleanup"]


def test_nameless_jobs_of_one_function_are_told_apart_by_their_definitions() -> None:
    entries = cron_entries(settings_with(job(), job(schedule="0 12 * * *")))
    names = {entry.name for entry in entries}
    assert len(names) == 2
    assert all(name.startswith("report:") for name in names)
    again = cron_entries(settings_with(job(schedule="0 12 * * *"), job()))
    assert {entry.name for entry in again} == names


def test_two_jobs_of_one_name_are_an_error() -> None:
    with pytest.raises(ConfigError, match="2 jobs are named 'a'"):
        cron_entries(settings_with(job(name="a"), job(name="a", schedule="1 0 * * *")))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"schedule": "61 * * * *"}, "'report': the schedule '61"),
        ({"timezone": "Mars/Olympus"}, "'report': there is no time zone 'Mars/Olympus'"),
    ],
)
def test_a_cron_job_that_cannot_be_used_is_named_in_the_error(
    fields: dict[str, str], reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        cron_entries(settings_with(job(**fields)))


def test_the_jobs_own_time_zone_wins_over_the_settings() -> None:
    entries = cron_entries(
        settings_with(job(name="a"), job(name="b", timezone="UTC"), timezone="Europe/Berlin")
    )
    assert [entry.zone_name for entry in entries] == ["Europe/Berlin", "UTC"]


def test_a_unique_cron_job_has_a_key_of_its_own() -> None:
    [entry] = cron_entries(settings_with(job(unique=True)))
    assert entry.request().unique_key == "cron:report"
