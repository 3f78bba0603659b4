"""`Schedule`: the slots of a cron expression in a time zone, daylight saving included.

Five fields, parsed by croniter. When clocks are set forward, a slot in the gap is taken at its
end. When they are set back, a schedule with fixed hours runs once, at the first of the two; one
whose hour is `*` or a step of it follows real time. These are the rules of Vixie cron.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from croniter import CroniterBadDateError, CroniterError, croniter
from dateutil.tz import tzlocal

FIELDS = 5


class Schedule:
    """When a cron job runs.

    Args:
        expression: five fields: minute, hour, day of month, month, day of week.
        timezone: an IANA name; None is the zone of this machine.

    Raises:
        ValueError: the expression or the zone cannot be used; the message says which and why.
    """

    def __init__(self, expression: str, timezone: str | None = None) -> None:
        fields = expression.split()
        if len(fields) != FIELDS:
            raise ValueError(
                f"the schedule {expression!r} has {len(fields)} fields; it needs {FIELDS}: "
                "minute, hour, day of month, month, day of week"
            )
        self.expression = expression
        self._zone = _zone(timezone)
        self._follows_real_time = fields[1].startswith("*")
        try:
            self.next_after(datetime.now(UTC))
        except CroniterBadDateError:
            raise ValueError(f"the schedule {expression!r} never comes") from None
        except (CroniterError, ValueError) as error:
            raise ValueError(f"the schedule {expression!r} cannot be used: {error}") from None

    def next_after(self, moment: datetime) -> datetime:
        """The first slot after a moment, in UTC."""
        slots = croniter(self.expression, moment.astimezone(self._zone))
        while True:
            slot = slots.get_next(datetime)
            if self._counts(slot):
                return _utc(slot)

    def last_until(self, moment: datetime) -> datetime:
        """The last slot that is not after a moment, in UTC."""
        local = moment.astimezone(self._zone)
        # croniter looks strictly before, in whole seconds.
        slots = croniter(self.expression, local.replace(microsecond=0))
        if self._is_slot(local):
            return _utc(local.replace(second=0, microsecond=0))
        while True:
            slot = slots.get_prev(datetime)
            if self._counts(slot):
                return _utc(slot)

    def _is_slot(self, local: datetime) -> bool:
        minute = local.replace(second=0, microsecond=0)
        return (
            local.second == 0 and self._counts(minute) and croniter.match(self.expression, minute)
        )

    def _counts(self, slot: datetime) -> bool:
        return self._follows_real_time or not _is_second_time_around(slot)


def _is_second_time_around(local: datetime) -> bool:
    """Whether this wall-clock time has been an hour (or so) ago before, in the same night."""
    return local.replace(fold=0).utcoffset() != local.utcoffset() and (
        local.replace(fold=0).astimezone(UTC) < local.astimezone(UTC)
    )


def _zone(name: str | None) -> tzinfo:
    if name is None:
        local: tzinfo = tzlocal()
        return local
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f"there is no time zone {name!r}; write it as in 'Europe/Berlin'"
        ) from None


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
