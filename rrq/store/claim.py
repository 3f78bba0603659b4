"""`Claim`: what a worker knows of a job that it leased, checked but not decoded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw, Struct

from rrq.protocol import NULL
from rrq.store.lenient import number_of


class Limits(Struct, frozen=True, kw_only=True):
    """What holds for a job that does not say otherwise."""

    max_retries: int
    timeout_seconds: float
    max_lost: int


class Claim(Struct, kw_only=True, gc=False):
    """One leased job.

    `args`, `kwargs` and `trace_context` are JSON text, checked to be one line of valid JSON of
    the right kind. `due_ms` is the place it had in `queue` (a bare name), in milliseconds since
    the epoch. `previous_token` is of the lease before, None if there was none or it ran out.
    `is_plain`: it has neither failed nor been lost before, and has no unique key.
    `runs_alone`: once more lost and it is dead-lettered, so no other job may be to blame for that.
    `defect` says what is wrong with a hash that no RRQ producer wrote.
    """

    job_id: str
    token: int
    queue: str
    due_ms: float
    claimed_ms: float
    function_name: str
    args: Raw
    kwargs: Raw
    enqueue_time: str
    queue_name: str
    attempt: int
    max_retries: int
    timeout_seconds: float
    trace_context: Raw = NULL
    started: str = ""
    previous_token: int | None = None
    is_plain: bool = False
    runs_alone: bool = False
    defect: str | None = None


_array = msgspec.json.Decoder(list[Raw])
_object = msgspec.json.Decoder(dict[str, Raw])
_strings = msgspec.json.Decoder(dict[str, str])

_EMPTY_ARRAY = Raw(b"[]")
_EMPTY_OBJECT = Raw(b"{}")


def runs_alone(lost_count: float, max_lost: int) -> bool:
    """Whether the next loss, if it is not the first one, dead-letters a job lost so often."""
    return lost_count >= max(1, max_lost)


def claims_from_reply(
    jobs: Iterable[Any], first_token: int, claimed_ms: float, started: str, limits: Limits
) -> list[Claim]:
    """The jobs of the claim step's answer (see `lua/claim.lua`)."""
    claims: list[Claim] = []
    token = first_token
    for queue, *of_queue in jobs:
        name = queue.decode(errors="surrogateescape")
        for due_ms, job in zip(of_queue[::2], of_queue[1::2], strict=True):
            reply = [*job, *_UNSAID[len(job) :]]
            claims.append(_claim(reply, token, name, float(due_ms), claimed_ms, started, limits))
            token += 1
    return claims


def _claim(
    reply: list[Any],
    token: int,
    queue: str,
    due_ms: float,
    claimed_ms: float,
    started: str,
    limits: Limits,
) -> Claim:
    defects: list[str] = []
    failures, lost, unique_key = reply[6], reply[11], reply[12]
    return Claim(
        job_id=_identity(reply[0], defects),
        token=token,
        queue=queue,
        due_ms=due_ms,
        claimed_ms=claimed_ms,
        function_name=_text(reply[1], "function_name", defects),
        args=_json(reply[2], _array, _EMPTY_ARRAY, "job_args", "a JSON array", defects),
        kwargs=_json(reply[3], _object, _EMPTY_OBJECT, "job_kwargs", "a JSON object", defects),
        enqueue_time=_text(reply[4], "enqueue_time", defects),
        queue_name=reply[5].decode(errors="replace"),
        attempt=int(_number(failures, 0, 0, "current_retries", defects)) + 1,
        max_retries=int(_number(reply[7], limits.max_retries, 1, "max_retries", defects)),
        timeout_seconds=_number(
            reply[8], limits.timeout_seconds, 0.001, "job_timeout_seconds", defects
        ),
        trace_context=_json(
            reply[9], _strings, NULL, "trace_context", "a JSON object of strings", defects
        ),
        started=started,
        previous_token=int(reply[10]) if reply[10] else None,
        is_plain=failures in _NO_FAILURE and lost is None and not unique_key,
        runs_alone=lost is not None and runs_alone(number_of(lost) or 0, limits.max_lost),
        defect="; ".join(defects) or None,
    )


_NO_FAILURE = (b"0", b"", None)

_UNSAID = [None] * 13
"""What the answer leaves out of a job behind the last that its hash says."""


def _identity(value: bytes, defects: list[str]) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        defects.append("the job id is not UTF-8")
        return value.decode(errors="surrogateescape")


def _text(value: bytes | None, field: str, defects: list[str]) -> str:
    value = value or b""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        defects.append(f"the field `{field}` is not UTF-8")
        return ""
    if not text and field != "function_name":
        defects.append(f"the field `{field}` is missing")
    return text


def _json(
    value: bytes | None,
    decoder: msgspec.json.Decoder[Any],
    empty: Raw,
    field: str,
    expected: str,
    defects: list[str],
) -> Raw:
    if not value or value == b"null" or value == bytes(empty):
        return empty
    try:
        decoder.decode(value)
        if not value.isascii():
            value.decode()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        defects.append(f"the field `{field}` is not {expected}")
        return empty
    # A line break can only stand between the tokens of valid JSON; on the wire it ends a line.
    if b"\n" in value or b"\r" in value:
        value = value.replace(b"\n", b" ").replace(b"\r", b" ")
    return Raw(value)


def _number(
    value: bytes | None, default: float, smallest: float, field: str, defects: list[str]
) -> float:
    if not value or value == b"null":
        return default
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not smallest <= number < 2**53:
        defects.append(f"the field `{field}` is no usable number: {value[:40]!r}")
        return default
    return number
